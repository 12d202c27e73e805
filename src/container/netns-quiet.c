#include "container/netns-quiet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "container/netns.h"

#define NAME     "firn"
#define PRIORITY (-500) /* before everybody else's */
enum { LOOPBACK = 1 };  /* its index in every namespace */

/* ---- messages ---- */

static size_t message_begin(struct buf *b, unsigned type, unsigned flags, unsigned family)
{
    size_t at = b->size;
    bool batch = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;
    struct nlmsghdr head = {
        .nlmsg_type = (uint16_t)(batch ? type : NFNL_SUBSYS_NFTABLES << 8 | type),
        .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
        .nlmsg_seq = (uint32_t)at,
    };
    struct nfgenmsg net = {.nfgen_family = (uint8_t)family,
                           .version = NFNETLINK_V0,
                           .res_id = htons(batch ? NFNL_SUBSYS_NFTABLES : 0)};
    buf_add(b, &head, sizeof(head));
    buf_add(b, &net, sizeof(net));
    return at;
}

static void message_end(struct buf *b, size_t at)
{
    uint32_t size = (uint32_t)(b->size - at);
    memcpy(b->data + at, &size, sizeof(size));
}

static size_t nest_begin(struct buf *b, unsigned type)
{
    size_t at = b->size;
    struct nlattr head = {.nla_type = (uint16_t)(type | NLA_F_NESTED)};
    buf_add(b, &head, sizeof(head));
    return at;
}

static void nest_end(struct buf *b, size_t at)
{
    uint16_t size = (uint16_t)(b->size - at);
    memcpy(b->data + at, &size, sizeof(size));
}

static void add_attribute(struct buf *b, unsigned type, const void *data, size_t size)
{
    static const char padding[NLA_ALIGNTO];
    struct nlattr head = {.nla_type = (uint16_t)type, .nla_len = (uint16_t)(sizeof(head) + size)};
    buf_add(b, &head, sizeof(head));
    buf_add(b, data, size);
    buf_add(b, padding, NLA_ALIGN(size) - size);
}

static void add_text(struct buf *b, unsigned type, const char *text)
{
    add_attribute(b, type, text, strlen(text) + 1);
}

static void add_number(struct buf *b, unsigned type, uint32_t number)
{
    uint32_t swapped = htonl(number);
    add_attribute(b, type, &swapped, sizeof(swapped));
}

/* ---- the table, its chain, its rule ---- */

static void add_table(struct buf *b, unsigned verb, unsigned flags)
{
    size_t m = message_begin(b, verb, flags | NLM_F_ACK, NFPROTO_INET);
    add_text(b, NFTA_TABLE_NAME, NAME);
    message_end(b, m);
}

static void add_chain(struct buf *b)
{
    size_t m = message_begin(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET);
    add_text(b, NFTA_CHAIN_TABLE, NAME);
    add_text(b, NFTA_CHAIN_NAME, NAME);
    size_t hook = nest_begin(b, NFTA_CHAIN_HOOK);
    add_number(b, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
    add_number(b, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY);
    nest_end(b, hook);
    add_text(b, NFTA_CHAIN_TYPE, "filter");
    message_end(b, m);
}

struct expression {
    size_t element, data;
};

static struct expression expression_begin(struct buf *b, const char *name)
{
    struct expression e = {.element = nest_begin(b, NFTA_LIST_ELEM)};
    add_text(b, NFTA_EXPR_NAME, name);
    e.data = nest_begin(b, NFTA_EXPR_DATA);
    return e;
}

static void expression_end(struct buf *b, struct expression e)
{
    nest_end(b, e.data);
    nest_end(b, e.element);
}

static void add_meta(struct buf *b)
{
    struct expression e = expression_begin(b, "meta");
    add_number(b, NFTA_META_DREG, NFT_REG_1);
    add_number(b, NFTA_META_KEY, NFT_META_IIF);
    expression_end(b, e);
}

static void add_compare(struct buf *b)
{
    uint32_t loopback = LOOPBACK;
    struct expression e = expression_begin(b, "cmp");
    add_number(b, NFTA_CMP_SREG, NFT_REG_1);
    add_number(b, NFTA_CMP_OP, NFT_CMP_NEQ);
    size_t data = nest_begin(b, NFTA_CMP_DATA);
    add_attribute(b, NFTA_DATA_VALUE, &loopback, sizeof(loopback));
    nest_end(b, data);
    expression_end(b, e);
}

static void add_drop(struct buf *b)
{
    struct expression e = expression_begin(b, "immediate");
    add_number(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = nest_begin(b, NFTA_IMMEDIATE_DATA), verdict = nest_begin(b, NFTA_DATA_VERDICT);
    add_number(b, NFTA_VERDICT_CODE, NF_DROP);
    nest_end(b, verdict);
    nest_end(b, data);
    expression_end(b, e);
}

/* `iif != lo drop` */
static void add_rule(struct buf *b)
{
    size_t m = message_begin(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET);
    add_text(b, NFTA_RULE_TABLE, NAME);
    add_text(b, NFTA_RULE_CHAIN, NAME);
    size_t list = nest_begin(b, NFTA_RULE_EXPRESSIONS);
    add_meta(b);
    add_compare(b);
    add_drop(b);
    nest_end(b, list);
    message_end(b, m);
}

/* One transaction: all of it is there, or nothing. */
static void make_transaction(struct buf *b, bool quiet)
{
    message_end(b, message_begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC));
    add_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE); /* so that there is one to delete */
    add_table(b, NFT_MSG_DELTABLE, 0);
    if (quiet) {
        add_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
        add_chain(b);
        add_rule(b);
    }
    message_end(b, message_begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC));
}

/* ---- the kernel's answers ---- */

/* The first error in what was received; *count of the answers goes down. */
static int read_answers(char *data, size_t size, int *count)
{
    for (struct nlmsghdr *h = (void *)data; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
        const struct nlmsgerr *e = NLMSG_DATA(h);
        if (h->nlmsg_type != NLMSG_ERROR)
            continue;
        if (e->error)
            return e->error;
        (*count)--;
    }
    return 0;
}

static int transact(int fd, bool quiet)
{
    _cleanup_buf_ struct buf b = {0};
    union {
        struct nlmsghdr head;
        char data[8192];
    } answer;
    int expected = quiet ? 5 : 2;
    make_transaction(&b, quiet);
    if (send(fd, b.data, b.size, 0) < 0)
        return -errno;
    while (expected > 0) {
        ssize_t n = recv(fd, &answer, sizeof(answer), 0);
        if (n < 0)
            return -errno;
        int r = read_answers(answer.data, (size_t)n, &expected);
        if (r < 0)
            return r;
    }
    return 0;
}

int netns_quiet(const char *path, bool quiet)
{
    _cleanup_close_ int fd = netns_socket(path, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    return fd < 0 ? fd : transact(fd, quiet);
}
