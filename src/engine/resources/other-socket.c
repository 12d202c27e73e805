/* Sockets that cannot be saved, by name. */
#include <errno.h>
#include <sys/socket.h>

#include "engine/resources/socket.h"

static const struct {
    int family;
    const char *name;
} families[] = {
    {AF_PACKET, "a packet socket"},
    {AF_VSOCK, "a vsock socket"},
    {AF_ALG, "a socket of the kernel's crypto interface"},
    {AF_KCM, "a KCM socket"},
    {AF_XDP, "an XDP socket"},
    {AF_BLUETOOTH, "a Bluetooth socket"},
    {AF_CAN, "a CAN bus socket"},
    {AF_TIPC, "a TIPC socket"},
    {AF_SMC, "an SMC socket"},
    {AF_RDS, "an RDS socket"},
    {AF_KEY, "an IPsec key socket"},
};

static bool match(const struct descriptor *f)
{
    return socket_family(f) >= 0;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    int family = socket_family(f);
    (void)entry;
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (families[i].family == family)
            return error_set(err, ENOTSUP, "%s is %s, which firn cannot save",
                             descriptor_name(d, f), families[i].name);
    return error_set(err, ENOTSUP, "%s is a socket of address family %d, which firn cannot save",
                     descriptor_name(d, f), family);
}

const struct resource resource_other_socket = {
    .name = "other socket", .type = FD_TYPES__UND, .match = match, .dump = dump};
