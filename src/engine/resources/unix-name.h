/* Giving a unix socket its name again: bound by its process, in the directory it was bound from. */
#pragma once

#include "engine/resources/unix-socket.h"

/* The path of a socket that is being bound. */
struct unix_path {
    int directory; /* ours, -1: an abstract name */
    char base[NAME_MAX + 1];
    bool aside;        /* what stood there is kept under another name meanwhile */
    bool gone;         /* nothing is to be left at the path */
    const char *moved; /* but the file is to stand here, from the container's root */
};
void unix_path_clear(struct unix_path *p);
#define _cleanup_unix_path_ _cleanup_(unix_path_clear)

bool unix_named(const UnixSkEntry *e);
bool unix_same_name(const UnixSkEntry *e, const void *name, size_t size);
/* As bind(2) and connect(2) want it. */
socklen_t unix_address(const UnixSkEntry *e, struct sockaddr_un *ret);

/* Binds the maker's `fd`; with `gone` (or if it was deleted) the path goes at unix_path_settle. */
int unix_bind(struct maker *m, int fd, const UnixSkEntry *e, bool gone, struct unix_path *ret,
              struct error *err);
/* Owner and mode, or what was there before. */
int unix_path_settle(struct maker *m, struct unix_path *p, const UnixSkEntry *e, struct error *err);
