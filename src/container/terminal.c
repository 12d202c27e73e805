#include "container/terminal.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/strv.h"

void terminal_make_raw(struct terminal *t, int fd)
{
    if (fd < 0 || tcgetattr(fd, &t->saved) < 0)
        return;
    struct termios raw = t->saved;
    cfmakeraw(&raw);
    if (tcsetattr(fd, TCSANOW, &raw) == 0)
        t->fd = fd;
}

void terminal_restore(struct terminal *t)
{
    if (t->fd >= 0)
        tcsetattr(t->fd, TCSANOW, &t->saved);
    t->fd = -1;
}

bool terminal_size(int fd, unsigned *rows, unsigned *columns)
{
    struct winsize w;
    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &w) < 0)
        return false;
    *rows = w.ws_row;
    *columns = w.ws_col;
    return true;
}

static int parse_key(const char *name)
{
    if (strlen(name) == 1)
        return (unsigned char)name[0];
    if (strncasecmp(name, "ctrl-", 5) != 0 || strlen(name) != 6)
        return -EINVAL;
    unsigned char c = (unsigned char)name[5];
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 1;
    if (c >= '@' && c <= '_')
        return c - '@';
    return -EINVAL;
}

int detach_keys_parse(const char *text, struct detach_keys *ret)
{
    struct detach_keys k = {0};
    _cleanup_strv_ char **names = strv_split(text, ',');
    if (!*text) {
        *ret = k;
        return 0;
    }
    STRV_FOREACH(name, names)
    {
        int key = parse_key(*name);
        if (key < 0 || k.count == sizeof(k.keys))
            return -EINVAL;
        k.keys[k.count++] = (unsigned char)key;
    }
    *ret = k;
    return 0;
}

bool detach_keys_feed(struct detach_keys *k, const unsigned char *in, size_t size,
                      unsigned char *out, size_t *ret_size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (k->count && in[i] == k->keys[k->matched]) {
            if (++k->matched == k->count) {
                *ret_size = n;
                return true;
            }
            continue;
        }
        /* Not the sequence after all: what was held back goes on its way. */
        memcpy(out + n, k->keys, k->matched);
        n += k->matched;
        k->matched = 0;
        if (k->count && in[i] == k->keys[0]) {
            k->matched = 1;
            continue;
        }
        out[n++] = in[i];
    }
    *ret_size = n;
    return false;
}
