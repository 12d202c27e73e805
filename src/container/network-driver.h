/* The ways to connect a container's network namespace. Used by network*.c only. */
#pragma once

#include "container/network.h"

struct network_job {
    struct container *c;
    const struct network_wish *wish; /* may be NULL */
    const char *netns;               /* path of the namespace */
    const char *directory;           /* <runroot>/netns */
    struct json *state;              /* to be filled in */
};

struct network_driver {
    const char *mode;
    bool is_helper; /* connections go through a program that ends with the container */
    /* What fails may leave things behind that `down` knows from the state. */
    int (*up)(struct network_job *job, struct error *err);
    int (*down)(struct network_job *job, struct error *err);
};

extern const struct network_driver network_bridge;
extern const struct network_driver network_pasta;
extern const struct network_driver network_slirp4netns;

/* Writes the state down before something is done that `down` must know of, should we be killed. */
int network_save_state(const struct network_job *job, struct error *err);

/* Published ports of its configuration, NULL: none. */
const struct json *network_ports(const struct container *c);
