#include "alert/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEFT_MAX = 64 };

/* Processes that were given up; 0: none. The oldest makes room, and is a zombie until we end. */
static pid_t left[LEFT_MAX];
static size_t left_count;

static void reap(void)
{
    for (size_t i = 0; i < LEFT_MAX; i++) {
        if (left[i] != 0 && waitpid(left[i], NULL, WNOHANG) != 0)
            left[i] = 0;
    }
}

/* A file in memory, so that a sendmail that does not read can not hold us up. */
static int make_input(const char *message, size_t message_bytes)
{
    int fd = memfd_create("mail", MFD_CLOEXEC);
    size_t written = 0;
    while (fd >= 0 && written < message_bytes) {
        ssize_t len = write(fd, message + written, message_bytes - written);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0) {
            close(fd);
            return -1;
        }
        written += (size_t)len;
    }
    if (fd >= 0)
        (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static int spawn(pid_t *pid_r, const char *program, int input)
{
    char name[] = "sendmail";
    char dots[] = "-i";
    char from_headers[] = "-t";
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char locale[] = "LC_ALL=C.UTF-8";
    char *const arguments[] = {name, dots, from_headers, NULL};
    char *const environment[] = {path, locale, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    int fault = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    if (!fault)
        fault = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!fault)
        fault = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!fault)
        fault = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigdefault(&how, &pipe_signal);
    if (!fault)
        fault = posix_spawn(pid_r, program, &files, &how, arguments, environment);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return fault;
}

enum status mail_start(struct mail *mail, const char *program, const char *message, size_t message_bytes)
{
    pid_t pid = 0;
    reap();
    int input = make_input(message, message_bytes);
    if (input < 0)
        return STATUS_NO_MEMORY;
    int fault = spawn(&pid, program, input);
    close(input);
    if (fault)
        return STATUS_FAILED;
    *mail = (struct mail){.pid = pid, .deadline = deadline_in(MAIL_MS)};
    return STATUS_OK;
}

bool mail_has_ended(struct mail *mail, int *status_r)
{
    int status = 0;
    pid_t ended = waitpid(mail->pid, &status, WNOHANG);
    if (ended == mail->pid || (ended < 0 && errno == ECHILD)) { /* ECHILD: somebody else has waited for it */
        mail->pid = 0;
        *status_r = ended > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return true;
    }
    if (deadline_left_ms(mail->deadline) > 0)
        return false;
    mail_stop(mail);
    *status_r = -1;
    return true;
}

/* Nothing waits for the end: what does not die of SIGKILL at once, or is another user's and can't be killed,
 * is left for later. */
void mail_stop(struct mail *mail)
{
    if (mail->pid == 0)
        return;
    kill(-mail->pid, SIGKILL);
    left[left_count++ % LEFT_MAX] = mail->pid;
    mail->pid = 0;
    reap();
}
