#include "container/arp.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define PATIENCE_NS INT64_C(5000000) /* on a bridge of one machine answers take microseconds */

static bool read_mac(int fd, const char *interface, unsigned char mac[ETH_ALEN])
{
    struct ifreq request = {0};
    strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        return false;
    memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
    return true;
}

/* A probe (RFC 5227): from no address, so that nobody remembers us. */
static bool ask(int fd, const struct sockaddr_ll *all, const char *interface, uint32_t address)
{
    uint32_t wanted = htonl(address);
    struct ether_arp probe = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                                         .ar_pro = htons(ETHERTYPE_IP),
                                         .ar_hln = ETH_ALEN,
                                         .ar_pln = sizeof(wanted),
                                         .ar_op = htons(ARPOP_REQUEST)}};
    memcpy(probe.arp_tpa, &wanted, sizeof(wanted));
    return read_mac(fd, interface, probe.arp_sha) &&
           sendto(fd, &probe, sizeof(probe), 0, (const struct sockaddr *)all, sizeof(*all)) ==
               sizeof(probe);
}

static bool is_answer(int fd, uint32_t address)
{
    uint32_t wanted = htonl(address);
    struct ether_arp said = {0};
    return recv(fd, &said, sizeof(said), MSG_DONTWAIT) == sizeof(said) &&
           said.ea_hdr.ar_op == htons(ARPOP_REPLY) &&
           memcmp(said.arp_spa, &wanted, sizeof(wanted)) == 0;
}

bool arp_is_taken(const char *interface, uint32_t address)
{
    struct sockaddr_ll all = {.sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ARP),
                              .sll_ifindex = (int)if_nametoindex(interface),
                              .sll_halen = ETH_ALEN};
    if (!all.sll_ifindex)
        return false;
    memset(all.sll_addr, 0xff, ETH_ALEN);
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
    if (fd < 0 || bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0 ||
        !ask(fd, &all, interface, address))
        return false;
    int64_t until = monotonic_ns() + PATIENCE_NS;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (int64_t left; (left = until - monotonic_ns()) > 0;)
        if (poll(&p, 1, (int)(left / 1000000 + 1)) == 1 && is_answer(fd, address))
            return true;
    return false;
}
