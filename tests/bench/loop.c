/* The floor under the worker path: kept-alive FastCGI connections, one body from memory, and, where a
 * connection string is given, one prepared select by primary key for each request.
 * loop BODY_FILE [CONNINFO HOST]; the listening socket is fd 0. */
#include <fcgiapp.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 128, LISTENER = CONNECTIONS_MAX, BODY_MAX_BYTES = 1024 * 1024 };

static FCGX_Request connections[CONNECTIONS_MAX];
static bool is_open[CONNECTIONS_MAX];
static char body[BODY_MAX_BYTES];
static char head[128];
static PGconn *database;
static const char *host;

static void fail(const char *why)
{
    fprintf(stderr, "loop: %s\n", why);
    exit(1);
}

static void read_body(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("no body");
    size_t len = fread(body, 1, sizeof body - 1, file);
    fclose(file);
    snprintf(head, sizeof head, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
}

static void connect_database(const char *conninfo)
{
    database = PQconnectdb(conninfo);
    PGresult *result = PQprepare(database, "one", "select taken_at from cache where host = $1", 1, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail(PQerrorMessage(database));
    PQclear(result);
}

static void select_one(void)
{
    PGresult *result = PQexecPrepared(database, "one", 1, &host, NULL, NULL, 1);
    if (PQntuples(result) != 1)
        fail(PQerrorMessage(database));
    PQclear(result);
}

static void accept_peer(int epoll_fd)
{
    int number = 0;
    while (number < CONNECTIONS_MAX && is_open[number])
        number++;
    int fd = number < CONNECTIONS_MAX ? accept4(0, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0)
        return;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)number};
    FCGX_InitRequest(&connections[number], -1, FCGI_FAIL_ACCEPT_ON_INTR);
    connections[number].ipcFd = fd;
    is_open[number] = true;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void answer(int number)
{
    FCGX_Request *connection = &connections[number];
    connection->keepConnection = 1;
    if (FCGX_Accept_r(connection) != 0) {
        FCGX_Free(connection, 1);
        is_open[number] = false;
        return;
    }
    while (FCGX_GetChar(connection->in) != EOF)
        ;
    if (database)
        select_one();
    FCGX_PutS(head, connection->out);
    FCGX_PutS(body, connection->out);
    FCGX_Finish_r(connection);
    is_open[number] = connection->ipcFd >= 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 4)
        fail("loop BODY_FILE [CONNINFO HOST]");
    read_body(argv[1]);
    if (argc == 4) {
        host = argv[3];
        connect_database(argv[2]);
    }
    FCGX_Init();
    signal(SIGUSR1, SIG_DFL);                          /* how multiwatch stops us; libfcgi has taken it */
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK); /* several of us wake up for one connection */
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listener = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u32 = LISTENER};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &listener);
    for (;;) {
        struct epoll_event events[8];
        int ready = epoll_wait(epoll_fd, events, 8, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.u32 == LISTENER)
                accept_peer(epoll_fd);
            else
                answer((int)events[i].data.u32);
        }
    }
}
