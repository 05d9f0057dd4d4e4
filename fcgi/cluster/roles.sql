-- Once, on the primary, as postgres: the owner of the tables, the roles of the programs, the database.
create role upbeat login password '@UPBEAT_PASSWORD@';
create role upbeat_worker login password '@WORKER_PASSWORD@';
create role upbeat_fetch login password '@FETCH_PASSWORD@';
create role upbeat_history login password '@HISTORY_PASSWORD@';
create role upbeat_alert login password '@ALERT_PASSWORD@';
create role upbeat_token login password '@TOKEN_PASSWORD@';
create database upbeat owner upbeat;
