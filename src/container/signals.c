#include "container/signals.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

static const struct {
    int number;
    const char *name;
} names[] = {
    {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},       {SIGQUIT, "SIGQUIT"}, {SIGILL, "SIGILL"},
    {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"},     {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
    {SIGKILL, "SIGKILL"}, {SIGUSR1, "SIGUSR1"},     {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"},
    {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"},     {SIGTERM, "SIGTERM"}, {SIGSTKFLT, "SIGSTKFLT"},
    {SIGCHLD, "SIGCHLD"}, {SIGCONT, "SIGCONT"},     {SIGSTOP, "SIGSTOP"}, {SIGTSTP, "SIGTSTP"},
    {SIGTTIN, "SIGTTIN"}, {SIGTTOU, "SIGTTOU"},     {SIGURG, "SIGURG"},   {SIGXCPU, "SIGXCPU"},
    {SIGXFSZ, "SIGXFSZ"}, {SIGVTALRM, "SIGVTALRM"}, {SIGPROF, "SIGPROF"}, {SIGWINCH, "SIGWINCH"},
    {SIGIO, "SIGIO"},     {SIGPWR, "SIGPWR"},       {SIGSYS, "SIGSYS"},   {SIGIO, "SIGPOLL"},
    {SIGABRT, "SIGIOT"},
};

/* The kernel's numbers: the C library keeps 32 and 33 for itself. */
enum { REALTIME_FIRST = 34, REALTIME_LAST = 64 };

static int parse_number(const char *s)
{
    char *end;
    long n = strtol(s, &end, 10);
    return *s && !*end ? (int)(n < 0 || n > 64 ? -1 : n) : -1;
}

static int parse_realtime(const char *s)
{
    if (strncasecmp(s, "RTMIN", 5) == 0) {
        int n = s[5] == '+' ? parse_number(s + 6) : s[5] ? -1 : 0;
        return n < 0 || REALTIME_FIRST + n > REALTIME_LAST ? -1 : REALTIME_FIRST + n;
    }
    if (strncasecmp(s, "RTMAX", 5) == 0) {
        int n = s[5] == '-' ? parse_number(s + 6) : s[5] ? -1 : 0;
        return n < 0 || REALTIME_LAST - n < REALTIME_FIRST ? -1 : REALTIME_LAST - n;
    }
    return -1;
}

int signal_parse(const char *name, struct error *err)
{
    if (isdigit((unsigned char)*name)) {
        int n = parse_number(name);
        if (n > 0)
            return n;
    } else {
        const char *s = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (strcasecmp(names[i].name + 3, s) == 0)
                return names[i].number;
        int n = parse_realtime(s);
        if (n > 0)
            return n;
    }
    return error_kind_set(err, ERROR_USAGE, "invalid signal: %s", name);
}

const char *signal_name(int signal)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].number == signal)
            return names[i].name;
    return NULL;
}
