#include "test.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/import.h"
#include "store/layer.h"

/* A store of its own, short names leading to localhost and one alias. */
static struct store *fresh(const char *dir)
{
    struct store *s = NULL;
    struct error err = {0};
    _cleanup_free_ char *root = path_join(dir, "root"), *runroot = path_join(dir, "run");
    _cleanup_free_ char *conf = path_join(dir, "registries.conf");
    static const char aliases[] = "[aliases]\n\"busybox\" = \"docker.io/library/busybox\"\n";
    file_write_atomic(conf, aliases, strlen(aliases), 0600, false, &err);
    setenv("CONTAINERS_REGISTRIES_CONF", conf, 1);
    setenv("CONTAINERS_REGISTRIES_CONF_DIR", "/nonexistent", 1);
    CHECK_INT(store_open(&(struct store_options){.root = root, .runroot = runroot}, &s, &err), 0);
    return s;
}

static void shell(const char *dir, const char *script)
{
    _cleanup_free_ char *command = xasprintf("cd '%s' && { %s; }", dir, script);
    CHECK_INT(system(command), 0);
}

/* The tarball has the content `text`, so that different texts give different images. */
static struct image *import(struct store *s, const char *dir, const char *text, const char *name,
                            char *const *changes, struct error *err)
{
    _cleanup_free_ char *script = xasprintf(
        "rm -rf t t.tar && mkdir -p t/bin t/tmp && chmod 1777 t/tmp && echo %s >t/bin/file && "
        "touch -d @1000000000 t t/bin t/tmp t/bin/file && tar -C t -cf t.tar . && "
        "touch -d @1000000000 t.tar",
        text);
    shell(dir, script);
    _cleanup_free_ char *path = path_join(dir, "t.tar");
    struct import_options o = {.source = path, .name = name, .changes = changes, .message = "test"};
    struct image *image = NULL;
    return import_image(s, &o, &image, err) < 0 ? NULL : image;
}

static void imported(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    char *changes[] = {(char *)"CMD [\"sh\", \"-l\"]",
                       (char *)"ENV A=1 B=\"2 3\"",
                       (char *)"EXPOSE 80",
                       (char *)"VOLUME /data",
                       (char *)"WORKDIR /tmp",
                       (char *)"USER=nobody",
                       (char *)"LABEL k=v",
                       (char *)"ENTRYPOINT echo",
                       (char *)"STOPSIGNAL SIGINT",
                       NULL};
    _cleanup_image_ struct image *i = import(s, dir, "one", "looper", changes, &err);
    CHECK_STRING(err.text, "");
    CHECK(i);
    CHECK_STRING(i->names[0], "localhost/looper:latest");
    CHECK_INT(i->created, INT64_C(1000000000000000000));
    _cleanup_strv_ char **cmd = image_cmd(i), **env = image_env(i), **entry = image_entrypoint(i);
    _cleanup_strv_ char **ports = image_exposed_ports(i), **volumes = image_volumes(i);
    CHECK_STRING(cmd[1], "-l");
    CHECK_STRING(env[1], "B=2 3");
    CHECK_STRING(entry[0], "/bin/sh");
    CHECK_STRING(entry[2], "echo");
    CHECK_STRING(ports[0], "80/tcp");
    CHECK_STRING(volumes[0], "/data");
    CHECK_STRING(image_workdir(i), "/tmp");
    CHECK_STRING(image_user(i), "nobody");
    CHECK_STRING(image_stop_signal(i), "SIGINT");
    CHECK_STRING(image_os(i), "linux");
    CHECK_STRING(js_get_string(image_labels(i), "k"), "v");
    _cleanup_free_ char *layer = layer_path(s, i->layers[0]);
    _cleanup_free_ char *tmp = path_join(layer, "tmp");
    struct stat st;
    CHECK_INT(stat(tmp, &st), 0);
    CHECK_INT(st.st_mode & 07777, 01777);
    CHECK_INT(st.st_mtim.tv_sec, 1000000000);
}

static void same_again(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    _cleanup_image_ struct image *a = import(s, dir, "one", "a", NULL, &err);
    /* The comment names the file, so the ids are those of the same file. */
    _cleanup_free_ char *path = path_join(dir, "t.tar");
    struct import_options o = {.source = path, .name = "b", .message = "test"};
    struct image *b = NULL;
    CHECK_INT(import_image(s, &o, &b, &err), 0);
    CHECK_STRING(a->id, b->id);
    CHECK_INT(strv_length(b->names), 2);
    CHECK_STRING(a->digest, b->digest);
    image_release(b);
}

static void compressed(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    _cleanup_image_ struct image *plain = import(s, dir, "one", "plain", NULL, &err);
    shell(dir, "gzip -n t.tar && mv t.tar.gz t.tar");
    _cleanup_free_ char *path = path_join(dir, "t.tar");
    struct import_options o = {.source = path, .name = "packed", .message = "test"};
    _cleanup_image_ struct image *packed = NULL;
    CHECK_INT(import_image(s, &o, &packed, &err), 0);
    CHECK_STRING(packed->layers[0], plain->layers[0]);
    CHECK(!string_equal(packed->blobs[0], plain->blobs[0]));
    CHECK_CONTAINS(js_get_string(js_at(js_get(packed->manifest, "layers"), 0), "mediaType"),
                   "+gzip");
}

static void looked_up(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    _cleanup_image_ struct image *i = import(s, dir, "one", "docker.io/busybox", NULL, &err);
    CHECK(i);
    _cleanup_free_ char *prefix = xasprintf("%.12s", i->id);
    _cleanup_free_ char *full = xasprintf("sha256:%s", i->id);
    _cleanup_free_ char *digested = xasprintf("busybox@%s", i->digest);
    const char *names[] = {"busybox",
                           "busybox:latest",
                           "docker.io/library/busybox",
                           "docker.io/busybox:latest",
                           prefix,
                           full,
                           i->id,
                           digested,
                           "library/busybox"};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        struct image *found = NULL;
        int r = image_lookup(s, names[n], &found, &err);
        if (r < 0)
            printf("# %s: %s\n", names[n], err.text);
        CHECK_INT(r, 0);
        CHECK_STRING(found->id, i->id);
        image_release(found);
    }
    const char *unknown[] = {"nope", "busybox:1", "quay.io/busybox", "fffffffffffff",
                             "sha256:ffff"};
    for (size_t n = 0; n < ARRAY_LEN(unknown); n++) {
        struct image *found = NULL;
        CHECK(image_lookup(s, unknown[n], &found, &err) < 0);
        CHECK_INT(err.kind, ERROR_NOT_FOUND);
        CHECK_CONTAINS(err.text, ": image not known");
        CHECK_INT(image_known(s, unknown[n], &err), 0);
    }
    CHECK_INT(image_known(s, "busybox", &err), 1);
    CHECK(image_known(s, "BUSYBOX", &err) < 0);
    _cleanup_strv_ char **digests = image_repo_digests(i);
    CHECK_CONTAINS(digests[0], "docker.io/library/busybox@sha256:");
}

static void tagged(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    _cleanup_image_ struct image *a = import(s, dir, "one", "a", NULL, &err);
    _cleanup_image_ struct image *b = import(s, dir, "two", "b", NULL, &err);
    CHECK_INT(image_tag(s, "a", "team/c:1", &err), 0);
    CHECK_INT(image_tag(s, "b", "a", &err), 0);
    _cleanup_image_list_ struct image_list list = {0};
    CHECK_INT(image_list(s, &list, &err), 0);
    CHECK_INT(list.count, 2);
    _cleanup_image_ struct image *now_a = NULL, *now_b = NULL;
    CHECK_INT(image_lookup(s, "a", &now_b, &err), 0);
    CHECK_STRING(now_b->id, b->id);
    CHECK_INT(image_lookup(s, "team/c:1", &now_a, &err), 0);
    CHECK_STRING(now_a->id, a->id);
    CHECK_INT(strv_length(now_a->names), 1);
    CHECK(image_tag(s, "nope", "x", &err) < 0);
    CHECK_STRING(err.text, "nope: image not known");
    CHECK_INT(image_untag(s, "team/c:1", NULL, &err), 0);
    CHECK_INT(image_known(s, "team/c:1", &err), 0);
    CHECK_INT(image_known(s, a->id, &err), 1);
}

static int count_in(struct store *s, const char *what)
{
    _cleanup_free_ char *command = xasprintf(
        "exit $(find '%s/%s' -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)", s->root, what);
    return WEXITSTATUS(system(command));
}

static void removed(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    _cleanup_image_ struct image *i = import(s, dir, "one", "a", NULL, &err);
    CHECK_INT(image_tag(s, "a", "b", &err), 0);
    _cleanup_strv_ char **untagged = NULL;
    _cleanup_free_ char *deleted = NULL;
    CHECK(image_remove(s, i->id, false, NULL, NULL, &err) < 0);
    CHECK_CONTAINS(err.text, "by ID with more than one tag");
    CHECK_INT(image_remove(s, "a", false, &untagged, &deleted, &err), 0);
    CHECK_STRING(untagged[0], "localhost/a:latest");
    CHECK(!deleted);
    CHECK(database_run(s->db, &err,
                       "INSERT INTO containers (id, name, created, image_id, config) "
                       "VALUES ('c1', 'n', 0, ?, '{}')",
                       "s", i->id) == 1);
    CHECK(image_remove(s, "b", false, NULL, NULL, &err) < 0);
    CHECK_INT(err.kind, ERROR_IN_USE);
    CHECK_CONTAINS(err.text, "image used by c1: image is in use by a container");
    database_run(s->db, &err, "DELETE FROM containers", NULL);
    CHECK_INT(count_in(s, "layers"), 1);
    CHECK_INT(image_remove(s, "b", false, NULL, &deleted, &err), 0);
    CHECK_STRING(deleted, i->id);
    CHECK_INT(count_in(s, "layers"), 0);
    CHECK_INT(count_in(s, "images/blobs/sha256"), 0);
    CHECK_INT(count_in(s, "tmp"), 0);
    CHECK(image_remove(s, "b", false, NULL, NULL, &err) < 0);
    CHECK_STRING(err.text, "b: image not known");
    CHECK(database_run(s->db, &err,
                       "INSERT INTO containers (id, name, created, image_id, config) "
                       "VALUES ('c2', 'n', 0, ?, '{}')",
                       "s", i->id) < 0);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
}

/* What killed commands leave behind: a temporary directory of a dead process, a layer and a blob
 * the database does not know. */
static void leftovers(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    image_release(import(s, dir, "one", "a", NULL, &err));
    shell(dir, "mkdir -p root/tmp/4000000.1.0.layer/x root/tmp/1.1.0.x && "
               "echo half >root/images/blobs/sha256/0000");
    CHECK(database_run(s->db, &err, "DELETE FROM images", NULL) >= 0);
    _cleanup_image_ struct image *i = import(s, dir, "two", "a", NULL, &err);
    CHECK_INT(count_in(s, "tmp"), 0);
    CHECK_INT(count_in(s, "layers"), 2);
    CHECK_INT(image_remove(s, "a", false, NULL, NULL, &err), 0);
    CHECK_INT(count_in(s, "layers"), 0);
    CHECK_INT(count_in(s, "images/blobs/sha256"), 0);
}

static void refused(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir);
    struct error err = {0};
    char *bad[] = {(char *)"FROM x", NULL}, *shapeless[] = {(char *)"CMD", NULL};
    CHECK(!import(s, dir, "one", "a", bad, &err));
    CHECK_CONTAINS(err.text, "invalid change \"FROM x\"");
    CHECK(!import(s, dir, "one", "a", shapeless, &err));
    CHECK_CONTAINS(err.text, "must be formatted as KEY VALUE");
    CHECK(!import(s, dir, "one", "UPPER", NULL, &err));
    CHECK_CONTAINS(err.text, "lowercase");
    struct image *image = NULL;
    CHECK(import_image(s, &(struct import_options){.source = "/nonexistent"}, &image, &err) < 0);
    CHECK_STRING(err.text, "open /nonexistent: no such file or directory");
    CHECK(import_image(s, &(struct import_options){.source = "/etc/passwd"}, &image, &err) < 0);
    CHECK_INT(count_in(s, "tmp"), 0);
    CHECK_INT(count_in(s, "layers"), 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(imported), TEST(same_again), TEST(compressed), TEST(looked_up),
        TEST(tagged),   TEST(removed),    TEST(leftovers),  TEST(refused),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
