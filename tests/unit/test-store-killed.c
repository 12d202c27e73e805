/* Commands that write images, killed at random moments: the store is always consistent, and the
 * next command leaves nothing of them. */
#include "test.h"

#include <signal.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/blob.h"
#include "store/import.h"
#include "store/layer.h"
#include "store/volume.h"

#define ROUNDS 60

static struct store *opened(const char *dir)
{
    struct store *s = NULL;
    struct error err = {0};
    _cleanup_free_ char *root = path_join(dir, "root"), *runroot = path_join(dir, "run");
    int r = store_open(&(struct store_options){.root = root, .runroot = runroot}, &s, &err);
    if (r < 0)
        printf("# %s\n", err.text);
    CHECK_INT(r, 0);
    return s;
}

static void make_tarballs(const char *dir)
{
    _cleanup_free_ char *command = xasprintf(
        "cd '%s' && mkdir a b && for i in $(seq 100); do echo $i >a/$i; echo b$i >b/$i; done && "
        "tar -C a -cf a.tar . && tar -C b -czf b.tar .",
        dir);
    CHECK_INT(system(command), 0);
}

static int import(struct store *s, const char *dir, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/%s.tar", dir, name);
    _cleanup_image_ struct image *image = NULL;
    struct error err = {0};
    int r = import_image(s, &(struct import_options){.source = path, .name = name}, &image, &err);
    if (r < 0)
        printf("# %s\n", err.text);
    return r;
}

/* What is killed: everything that writes, for ever. */
static void work(const char *dir)
{
    for (;;) {
        _cleanup_store_ struct store *s = opened(dir);
        import(s, dir, "a");
        volume_create(s, &(struct volume_options){.name = "v"}, NULL, NULL);
        import(s, dir, "b");
        image_tag(s, "a", "c", NULL);
        image_remove(s, "a", true, NULL, NULL, NULL);
        image_remove(s, "c", true, NULL, NULL, NULL);
        volume_remove(s, "v", NULL);
        image_remove(s, "b", true, NULL, NULL, NULL);
    }
}

static void check_image(struct store *s, const struct image *i)
{
    CHECK_INT(strv_length(i->layers), 1);
    _cleanup_free_ char *blob = blob_path(s, i->blobs[0]), *config = blob_path(s, i->id);
    _cleanup_free_ char *manifest = blob_path(s, digest_hex_part(i->digest));
    _cleanup_free_ char *layer = layer_path(s, i->layers[0]), *last = path_join(layer, "100");
    CHECK(path_exists(blob) && path_exists(config) && path_exists(manifest));
    CHECK(path_exists(last));
}

static void check_all(struct store *s)
{
    struct error err = {0};
    _cleanup_image_list_ struct image_list images = {0};
    _cleanup_volume_list_ struct volume_list volumes = {0};
    CHECK_INT(image_list(s, &images, &err), 0);
    for (size_t i = 0; i < images.count; i++)
        check_image(s, images.items[i]);
    CHECK_INT(volume_list(s, &volumes, &err), 0);
    for (size_t i = 0; i < volumes.count; i++)
        CHECK(path_exists(volumes.items[i]->mountpoint));
}

static int count_in(struct store *s, const char *what)
{
    _cleanup_free_ char *command = xasprintf(
        "exit $(find '%s/%s' -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)", s->root, what);
    return WEXITSTATUS(system(command));
}

static void killed_at_any_moment(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    make_tarballs(dir);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = fork();
        if (pid == 0)
            work(dir);
        unsigned delay;
        random_bytes(&delay, sizeof(delay));
        usleep(delay % 60000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        _cleanup_store_ struct store *s = opened(dir);
        check_all(s);
    }
    _cleanup_store_ struct store *s = opened(dir);
    static const char *const names[] = {"a", "b", "c"};
    CHECK_INT(import(s, dir, "a"), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (image_known(s, names[i], NULL) > 0)
            CHECK_INT(image_remove(s, names[i], true, NULL, NULL, NULL), 0);
    CHECK_INT(count_in(s, "tmp"), 0);
    CHECK_INT(count_in(s, "layers"), 0);
    CHECK_INT(count_in(s, "images/blobs/sha256"), 0);
}

static void side_by_side(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    make_tarballs(dir);
    pid_t children[6];
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        children[i] = fork();
        if (children[i] == 0) {
            _cleanup_store_ struct store *s = opened(dir);
            for (int n = 0; n < 5; n++) {
                if (import(s, dir, i % 2 ? "a" : "b") < 0)
                    _exit(1);
                image_remove(s, i % 2 ? "a" : "b", true, NULL, NULL, NULL);
            }
            _exit(import(s, dir, i % 2 ? "a" : "b") < 0);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        int status = 1;
        waitpid(children[i], &status, 0);
        CHECK_INT(status, 0);
    }
    _cleanup_store_ struct store *s = opened(dir);
    check_all(s);
    CHECK_INT(count_in(s, "tmp"), 0);
}

int main(void)
{
    static const struct test tests[] = {TEST(killed_at_any_moment), TEST(side_by_side)};
    return run_tests(tests, ARRAY_LEN(tests));
}
