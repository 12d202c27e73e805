/* IPv4 addresses and subnets. Addresses are numbers in host order, so that the next one is +1. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IPV4_TEXT 16 /* "255.255.255.255" and the NUL */

struct subnet {
    uint32_t address; /* its first address */
    unsigned bits;    /* of the prefix */
};

/* "10.88.0.5". Returns 0 or -EINVAL. */
int ipv4_parse(const char *text, uint32_t *ret);
void ipv4_format(uint32_t address, char text[static IPV4_TEXT]);
/* "10.88.0.0/16"; bits beyond the prefix are cut off. Returns 0 or -EINVAL. */
int subnet_parse(const char *text, struct subnet *ret);
/* The caller frees. */
char *subnet_format(const struct subnet *s);
uint32_t subnet_last(const struct subnet *s); /* the broadcast address */
bool subnet_has(const struct subnet *s, uint32_t address);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);
