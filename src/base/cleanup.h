/* Cleanup by attribute: a variable marked `_cleanup_X_` releases what it holds when it goes out
 * of scope. Ownership is handed over with `take_ptr` / `take_fd` on the last line. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Declares `NAMEp(TYPE *p)`, to be used with `_cleanup_(NAMEp)`, from a function NAME(TYPE). */
#define DEFINE_CLEANUP(type, name)                                                                 \
    static inline void name##p(type *p)                                                            \
    {                                                                                              \
        if (*p)                                                                                    \
            name(*p);                                                                              \
    }                                                                                              \
    struct cleanup_semicolon_##name

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
    if (*d)
        closedir(*d);
}

#define _cleanup_free_     _cleanup_(cleanup_free)
#define _cleanup_close_    _cleanup_(cleanup_close)
#define _cleanup_fclose_   _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

#define take_ptr(p)                                                                                \
    ({                                                                                             \
        __auto_type take_p_ = &(p);                                                                \
        __auto_type take_v_ = *take_p_;                                                            \
        *take_p_ = NULL;                                                                           \
        take_v_;                                                                                   \
    })

static inline int take_fd_(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}
#define take_fd(fd) take_fd_(&(fd))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
