#include "test.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/overlay.h"

static void need_root(void)
{
    if (geteuid() != 0)
        SKIP("mounting needs root");
    CHECK_INT(unshare(CLONE_NEWNS), 0);
    CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

/* Root of a user namespace has no trusted attributes. */
static bool in_user_namespace(void)
{
    char map[64];
    unsigned inside, outside, count = 0;
    file_read_line("/proc/self/uid_map", map, sizeof(map));
    return sscanf(map, "%u %u %u", &inside, &outside, &count) != 3 || count != ~0u;
}

static char *shell_directory(const char *dir, const char *format, int n)
{
    char name[300];
    snprintf(name, sizeof(name), format, n);
    char *path = path_join(dir, name);
    CHECK_INT(mkdir_parents(path, 0755, NULL), 0);
    return path;
}

struct fixture {
    char *dir;
    char *upper, *work, *merged;
    char **layers;
};

/* Layer n has the files "n" and "all", whose content is n. */
static void set_up(struct fixture *f, int layers, const char *format)
{
    f->upper = shell_directory(f->dir, "upper", 0);
    f->work = shell_directory(f->dir, "work", 0);
    f->merged = shell_directory(f->dir, "merged", 0);
    for (int i = 0; i < layers; i++) {
        char *layer = shell_directory(f->dir, format, i);
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        _cleanup_free_ char *own = path_join(layer, text), *all = path_join(layer, "all");
        file_write_atomic(own, text, strlen(text), 0644, false, NULL);
        file_write_atomic(all, text, strlen(text), 0644, false, NULL);
        strv_take(&f->layers, layer);
    }
}

static void tear_down(struct fixture *f)
{
    overlay_unmount(f->merged, NULL);
    strv_free(f->layers);
    free(f->upper), free(f->work), free(f->merged);
}

static void check_content(const struct fixture *f, int layers)
{
    char text[16], want[16];
    _cleanup_free_ char *all = path_join(f->merged, "all");
    CHECK_INT(file_read_line(all, text, sizeof(text)), 0);
    snprintf(want, sizeof(want), "%d", layers - 1);
    CHECK_STRING(text, want);
    for (int i = 0; i < layers; i++) {
        snprintf(want, sizeof(want), "%d", i);
        _cleanup_free_ char *own = path_join(f->merged, want);
        CHECK(path_exists(own));
    }
}

static void mounted_with(int layers, const char *format)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_(tear_down) struct fixture f = {.dir = dir};
    struct error err = {0};
    set_up(&f, layers, format);
    struct overlay o = {.layers = f.layers,
                        .upper = f.upper,
                        .work = f.work,
                        .merged = f.merged,
                        .userxattr = in_user_namespace()};
    CHECK_INT(overlay_mount_count(f.merged), 0);
    CHECK_INT(overlay_mount(&o, &err), 0);
    CHECK_INT(overlay_mount(&o, &err), 0);
    CHECK_INT(overlay_mount_count(f.merged), 1);
    check_content(&f, layers);
    CHECK_INT(overlay_unmount(f.merged, &err), 0);
    CHECK_INT(overlay_unmount(f.merged, &err), 0);
    CHECK_INT(overlay_mount_count(f.merged), 0);
}

static void one_layer(void)
{
    need_root();
    mounted_with(1, "layer%d");
}

static void many_layers(void)
{
    need_root();
    mounted_with(130, "a-layer-with-a-name-as-long-as-a-chain-id-a-layer-with-a-name-as-lo-%d");
}

static void strange_names(void)
{
    need_root();
    mounted_with(3, "a:b,c\\d e%d");
}

static void read_only(void)
{
    need_root();
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_(tear_down) struct fixture f = {.dir = dir};
    struct error err = {0};
    set_up(&f, 2, "layer%d");
    CHECK_INT(overlay_mount(&(struct overlay){.layers = f.layers, .merged = f.merged}, &err), 0);
    check_content(&f, 2);
    _cleanup_free_ char *file = path_join(f.merged, "all");
    CHECK(access(file, W_OK) < 0 && errno == EROFS);
}

static void busy(void)
{
    need_root();
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_(tear_down) struct fixture f = {.dir = dir};
    struct error err = {0};
    set_up(&f, 2, "layer%d");
    struct overlay o = {.layers = f.layers,
                        .upper = f.upper,
                        .work = f.work,
                        .merged = f.merged,
                        .userxattr = in_user_namespace()};
    CHECK_INT(overlay_mount(&o, &err), 0);
    CHECK_INT(chdir(f.merged), 0);
    CHECK_INT(overlay_unmount(f.merged, &err), 0);
    CHECK_INT(overlay_mount_count(f.merged), 0);
    CHECK_INT(chdir("/"), 0);
}

static void missing_layer(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_(tear_down) struct fixture f = {.dir = dir};
    struct error err = {0};
    set_up(&f, 1, "layer%d");
    strv_add(&f.layers, "/nonexistent");
    struct overlay o = {.layers = f.layers,
                        .upper = f.upper,
                        .work = f.work,
                        .merged = f.merged,
                        .userxattr = in_user_namespace()};
    CHECK(overlay_mount(&o, &err) < 0);
    CHECK_CONTAINS(err.text, "/nonexistent");
}

static void container_without_image(void)
{
    need_root();
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = NULL;
    struct error err = {0};
    _cleanup_free_ char *root = path_join(dir, "root"), *runroot = path_join(dir, "run");
    CHECK_INT(store_open(&(struct store_options){.root = root, .runroot = runroot}, &s, &err), 0);
    _cleanup_free_ char *container = store_container_dir(s, "c"), *merged = NULL;
    CHECK_INT(mkdir_parents(container, 0700, &err), 0);
    CHECK_INT(overlay_mount_container(s, "c", NULL, false, &merged, &err), 0);
    _cleanup_free_ char *file = path_join(merged, "file"),
                        *above = path_join(container, "upper/file");
    CHECK_INT(file_write_atomic(file, "x", 1, 0600, false, &err), 0);
    CHECK(path_exists(above));
    struct stat st;
    CHECK_INT(stat(merged, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0755);
    CHECK_INT(overlay_unmount_container(s, "c", &err), 0);
    CHECK(!path_exists(file));
    CHECK(overlay_mount_container(s, "c", "0123", false, NULL, &err) < 0);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(one_layer), TEST(many_layers),   TEST(strange_names),           TEST(read_only),
        TEST(busy),      TEST(missing_layer), TEST(container_without_image),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
