#include "test.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/volume.h"

static struct store *fresh(const char *dir)
{
    struct store *s = NULL;
    struct error err = {0};
    _cleanup_free_ char *root = path_join(dir, "root"), *runroot = path_join(dir, "run");
    CHECK_INT(store_open(&(struct store_options){.root = root, .runroot = runroot}, &s, &err), 0);
    return s;
}

static int make(struct store *s, const char *name, struct error *err)
{
    return volume_create(s, &(struct volume_options){.name = name}, NULL, err);
}

static void add_container(struct store *s, const char *id)
{
    CHECK_INT(database_run(s->db, NULL,
                           "INSERT INTO containers (id, name, created, config) "
                           "VALUES (?, ?, 0, '{}')",
                           "ss", id, id),
              1);
}

static void created(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    _cleanup_json_ struct json *labels = js_object();
    js_set(labels, "k", js_string("v"));
    _cleanup_volume_ struct volume *v = NULL, *same = NULL;
    struct volume_options o = {.name = "data", .labels = labels};
    CHECK_INT(volume_create(s, &o, &v, &err), 0);
    CHECK_STRING(v->name, "data");
    CHECK_STRING(v->driver, "local");
    CHECK_STRING(js_get_string(v->labels, "k"), "v");
    CHECK(path_exists(v->mountpoint));
    CHECK(v->needs_copy_up && !v->anonymous && v->created > 0);
    CHECK(volume_create(s, &o, &same, &err) < 0);
    CHECK_STRING(err.text, "volume with name data already exists: volume already exists");
    CHECK_INT(err.kind, ERROR_CONFLICT);
    o.ignore_existing = true;
    CHECK_INT(volume_create(s, &o, &same, &err), 0);
    CHECK_INT(same->created, v->created);
    CHECK_INT(volume_copied_up(s, "data", &err), 0);
    _cleanup_volume_ struct volume *now = NULL;
    CHECK_INT(volume_lookup(s, "data", &now, &err), 0);
    CHECK(!now->needs_copy_up);
}

static void nameless(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    _cleanup_volume_ struct volume *v = NULL;
    CHECK_INT(volume_create(s, &(struct volume_options){.anonymous = true}, &v, &err), 0);
    CHECK(is_sha256_hex(v->name) && v->anonymous);
}

static void refused(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    const char *names[] = {"", "-a", "a/b", "..", "a b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CHECK(make(s, names[i], &err) < 0);
        CHECK_CONTAINS(err.text, "names must match");
    }
    struct volume_options o = {.name = "x", .driver = "nfs"};
    CHECK(volume_create(s, &o, NULL, &err) < 0);
    CHECK_CONTAINS(err.text, "nfs");
}

static void looked_up(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    make(s, "data", &err);
    make(s, "data2", &err);
    make(s, "other", &err);
    _cleanup_volume_ struct volume *exact = NULL, *prefix = NULL, *none = NULL;
    CHECK_INT(volume_lookup(s, "data", &exact, &err), 0);
    CHECK_STRING(exact->name, "data");
    CHECK_INT(volume_lookup(s, "oth", &prefix, &err), 0);
    CHECK_STRING(prefix->name, "other");
    CHECK(volume_lookup(s, "dat", &none, &err) < 0);
    CHECK_CONTAINS(err.text, "more than one");
    CHECK(volume_lookup(s, "nope", &none, &err) < 0);
    CHECK_STRING(err.text, "no volume with name \"nope\" found: no such volume");
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(volume_exists(s, "data", &err), 1);
    CHECK_INT(volume_exists(s, "dat", &err), 0);
    _cleanup_volume_list_ struct volume_list list = {0};
    CHECK_INT(volume_list(s, &list, &err), 0);
    CHECK_INT(list.count, 3);
    CHECK_STRING(list.items[2]->name, "other");
}

static void removed(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    make(s, "data", &err);
    add_container(s, "c1");
    CHECK_INT(volume_attach(s, "data", "c1", &err), 0);
    CHECK_INT(volume_attach(s, "data", "c1", &err), 0);
    CHECK(volume_remove(s, "data", &err) < 0);
    CHECK_INT(err.kind, ERROR_IN_USE);
    CHECK_STRING(err.text, "volume data is being used by the following container(s): c1: volume is "
                           "being used");
    database_run(s->db, &err, "DELETE FROM containers", NULL);
    _cleanup_free_ char *path = store_path(s, "volumes/data"), *file = path_join(path, "_data/f");
    file_write_atomic(file, "x", 1, 0600, false, &err);
    CHECK_INT(volume_remove(s, "data", &err), 0);
    CHECK(!path_exists(path));
    CHECK(volume_remove(s, "data", &err) < 0);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    /* What a killed removal left does not come back. */
    mkdir_parents(path, 0700, &err);
    mkdir_parents(file, 0700, &err);
    CHECK_INT(make(s, "data", &err), 0);
    CHECK(!path_exists(file));
}

static void anonymous(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    make(s, "named", &err);
    volume_create(s, &(struct volume_options){.name = "own", .anonymous = true}, NULL, &err);
    volume_create(s, &(struct volume_options){.name = "both", .anonymous = true}, NULL, &err);
    add_container(s, "c1");
    add_container(s, "c2");
    const char *volumes[] = {"named", "own", "both"};
    for (size_t i = 0; i < ARRAY_LEN(volumes); i++)
        volume_attach(s, volumes[i], "c1", &err);
    volume_attach(s, "both", "c2", &err);
    _cleanup_strv_ char **list = NULL;
    CHECK_INT(volume_anonymous_of(s, "c1", &list, &err), 0);
    CHECK_INT(strv_length(list), 1);
    CHECK_STRING(list[0], "own");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(created),   TEST(nameless), TEST(refused),
        TEST(looked_up), TEST(removed),  TEST(anonymous),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
