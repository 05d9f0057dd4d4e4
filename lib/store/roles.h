/* The database roles of the programs: each connects as its own where the connection string names no user.
 * What each may do is in sql/rights.sql. */
#ifndef UPBEAT_STORE_ROLES_H
#define UPBEAT_STORE_ROLES_H

#define ROLE_WORKER  "upbeat_worker"  /* reads */
#define ROLE_FETCH   "upbeat_fetch"   /* claims, publishes, refuses; and seals keys anew */
#define ROLE_ALERT   "upbeat_alert"   /* reads snapshots, and records events */
#define ROLE_HISTORY "upbeat_history" /* rolls up, makes and drops partitions, forgets pages */
#define ROLE_TOKEN   "upbeat_token"   /* makes and revokes view tokens, takes keys away */

#endif
