#include "test.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/subnet.h"
#include "store/network.h"

static struct store *fresh(const char *dir)
{
    struct store *s = NULL;
    struct error err = {0};
    _cleanup_free_ char *root = path_join(dir, "root"), *runroot = path_join(dir, "run");
    CHECK_INT(store_open(&(struct store_options){.root = root, .runroot = runroot}, &s, &err), 0);
    return s;
}

static const char *subnet_of(const struct network *n, const char *key)
{
    return js_get_string(js_at(js_get(n->document, "subnets"), 0), key);
}

static void subnets(void)
{
    struct subnet a, b, c;
    CHECK_INT(subnet_parse("10.88.3.4/16", &a), 0);
    CHECK_INT(subnet_parse("10.88.255.0/24", &b), 0);
    CHECK_INT(subnet_parse("10.89.0.0/24", &c), 0);
    _cleanup_free_ char *text = subnet_format(&a);
    CHECK_STRING(text, "10.88.0.0/16");
    CHECK(subnet_overlaps(&a, &b) && subnet_overlaps(&b, &a) && !subnet_overlaps(&a, &c));
    CHECK(subnet_has(&a, subnet_last(&a)) && !subnet_has(&a, subnet_last(&a) + 1));
    static const char *const bad[] = {"10.0.0.0", "10.0.0.0/", "10.0.0/8", "10.0.0.0/33", "::/0"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(subnet_parse(bad[i], &a) < 0);
}

static void the_default_is_always_there(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    _cleanup_network_ struct network *n = NULL, *by_prefix = NULL;
    struct error err = {0};
    CHECK_INT(network_lookup(s, "podman", &n, &err), 0);
    CHECK_STRING(n->id, NETWORK_DEFAULT_ID);
    CHECK_STRING(subnet_of(n, "subnet"), "10.88.0.0/16");
    CHECK_INT(network_lookup(s, "2f259bab93aa", &by_prefix, &err), 0);
    CHECK(network_remove(s, "podman", &err) < 0);
    CHECK_STRING(err.text, "default network podman cannot be removed");
    CHECK(network_create(s, &(struct network_options){.name = "podman"}, NULL, &err) < 0);
    CHECK_INT(err.kind, ERROR_CONFLICT);
}

static void made_and_found(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    _cleanup_network_ struct network *a = NULL, *b = NULL, *again = NULL;
    _cleanup_network_list_ struct network_list list = {0};
    struct error err = {0};
    struct network_options o = {.name = "a", .subnet = "10.200.0.0/24", .range = "10.200.0.64/26"};
    CHECK_INT(network_create(s, &o, &a, &err), 0);
    CHECK_STRING(subnet_of(a, "gateway"), "10.200.0.1");
    CHECK_STRING(
        js_get_string(js_get(js_at(js_get(a->document, "subnets"), 0), "lease_range"), "start_ip"),
        "10.200.0.65");
    CHECK_INT(network_create(s, &(struct network_options){0}, &b, &err), 0);
    CHECK(js_get_bool(b->document, "dns_enabled", false));
    CHECK(strcmp(subnet_of(a, "subnet"), subnet_of(b, "subnet")) != 0);
    CHECK(!string_equal(js_get_string(a->document, "network_interface"),
                        js_get_string(b->document, "network_interface")));
    CHECK_INT(network_lookup(s, a->id, &again, &err), 0);
    CHECK_INT(network_list(s, &list, &err), 0);
    CHECK_INT(list.count, 3);
    CHECK_STRING(list.items[0]->name, "a");
    CHECK_INT(network_remove(s, "a", &err), 0);
    CHECK(network_remove(s, "a", &err) < 0);
    CHECK_STRING(err.text, "unable to find network with name or ID a: network not found");
}

static void what_cannot_be_is_refused(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    const struct {
        struct network_options options;
        const char *text;
    } bad[] = {
        {{.name = "host"}, "conflicts with a valid network mode"},
        {{.name = "a/b"}, "names must match"},
        {{.name = "x", .driver = "macvlan"}, "unsupported driver macvlan"},
        {{.name = "x", .subnet = "10.88.1.0/24"}, "network podman has it"},
        {{.name = "x", .subnet = "fd00::/64"}, "IPv4 so far"},
        {{.name = "x", .subnet = "10.200.0.0"}, "invalid CIDR address"},
        {{.name = "x", .subnet = "10.200.0.0/24", .gateway = "10.201.0.1"}, "not in subnet"},
        {{.name = "x", .subnet = "10.200.0.0/24", .range = "10.201.0.0/26"}, "not in subnet"},
        {{.name = "x", .gateway = "10.200.0.1"}, "without subnet"},
        {{.name = "x", .interface = "podman0"}, "already in use"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = {0};
        CHECK(network_create(s, &bad[i].options, NULL, &err) < 0);
        CHECK(strstr(err.text, bad[i].text) != NULL);
    }
}

static void one_in_use_stays(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    _cleanup_strv_ char **users = NULL;
    struct error err = {0};
    CHECK_INT(network_create(s, &(struct network_options){.name = "a"}, NULL, &err), 0);
    CHECK_INT(database_run(s->db, &err,
                           "INSERT INTO containers (id, name, created, config) "
                           "VALUES ('c1', 'c1', 0, '{}')",
                           NULL),
              1);
    CHECK_INT(network_attach(s, "a", "c1", &err), 0);
    CHECK_INT(network_users(s, "a", &users, &err), 0);
    CHECK_STRING(users[0], "c1");
    CHECK(network_remove(s, "a", &err) < 0);
    CHECK_INT(err.kind, ERROR_IN_USE);
    CHECK_INT(database_run(s->db, &err, "DELETE FROM containers", NULL), 1);
    CHECK_INT(network_remove(s, "a", &err), 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(subnets),          TEST(the_default_is_always_there),
        TEST(made_and_found),   TEST(what_cannot_be_is_refused),
        TEST(one_in_use_stays),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
