/* Who has which address of a bridge's subnet. Bridges are the host's, so this is not in a store's
 * database but in /run/firn/leases, one file per address: it holds the path of the network
 * namespace that has it. A lease whose namespace is gone is over. Other programs use the same
 * bridges, so an address is also asked for on the bridge before it is given away. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/subnet.h"

/* One command at a time changes the host's bridges and firewall. Returns the lock's descriptor. */
int lease_lock(struct error *err);

struct lease_request {
    struct subnet subnet;
    uint32_t gateway;     /* given to nobody */
    uint32_t first, last; /* what may be chosen; 0: all of the subnet */
    uint32_t wanted;      /* 0: any */
    const char *bridge;   /* its interface, which need not be there */
    const char *owner;    /* path of the namespace, which exists */
};
/* Expects the lock. ERROR_CONFLICT: "requested ip address A is already allocated ...". */
int lease_take(const struct lease_request *q, uint32_t *ret, struct error *err);
/* Only if it is the owner's. */
void lease_drop(const struct subnet *s, uint32_t address, const char *owner);
