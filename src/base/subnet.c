#include "base/subnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

int ipv4_parse(const char *text, uint32_t *ret)
{
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1)
        return -EINVAL;
    *ret = ntohl(in.s_addr);
    return 0;
}

void ipv4_format(uint32_t address, char text[static IPV4_TEXT])
{
    struct in_addr in = {htonl(address)};
    inet_ntop(AF_INET, &in, text, IPV4_TEXT);
}

static uint32_t mask(unsigned bits)
{
    return bits ? ~0u << (32 - bits) : 0;
}

int subnet_parse(const char *text, struct subnet *ret)
{
    const char *slash = strchr(text, '/');
    if (!slash)
        return -EINVAL;
    _cleanup_free_ char *address = xstrndup(text, (size_t)(slash - text));
    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || bits > 32 ||
        ipv4_parse(address, &ret->address) < 0)
        return -EINVAL;
    ret->bits = (unsigned)bits;
    ret->address &= mask(ret->bits);
    return 0;
}

char *subnet_format(const struct subnet *s)
{
    char text[IPV4_TEXT];
    ipv4_format(s->address, text);
    return xasprintf("%s/%u", text, s->bits);
}

uint32_t subnet_last(const struct subnet *s)
{
    return s->address | ~mask(s->bits);
}

bool subnet_has(const struct subnet *s, uint32_t address)
{
    return (address & mask(s->bits)) == s->address;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
    return subnet_has(a, b->address) || subnet_has(b, a->address);
}
