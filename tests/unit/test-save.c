#include "test.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/import.h"
#include "store/load.h"
#include "store/registry.h"
#include "store/save.h"

static struct store *fresh(const char *dir, const char *name)
{
    struct store *s = NULL;
    struct error err = {0};
    _cleanup_free_ char *root = xasprintf("%s/%s/root", dir, name);
    _cleanup_free_ char *runroot = xasprintf("%s/%s/run", dir, name);
    CHECK_INT(store_open(&(struct store_options){.root = root, .runroot = runroot}, &s, &err), 0);
    return s;
}

static void shell(const char *dir, const char *script)
{
    _cleanup_free_ char *command = xasprintf("cd '%s' && { %s; }", dir, script);
    CHECK_INT(system(command), 0);
}

static struct image *import(struct store *s, const char *dir, const char *text, const char *name)
{
    _cleanup_free_ char *script =
        xasprintf("rm -rf t t.tar && mkdir t && echo %s >t/file && tar -C t -czf t.tar .", text);
    shell(dir, script);
    _cleanup_free_ char *path = path_join(dir, "t.tar");
    struct import_options o = {.source = path, .name = name};
    struct image *image = NULL;
    struct error err = {0};
    CHECK_INT(import_image(s, &o, &image, &err), 0);
    return image;
}

/* Saved from one store, loaded into another, in every format. */
static void there_and_back(const char *format)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *a = fresh(dir, "a"), *b = fresh(dir, "b");
    struct error err = {0};
    _cleanup_image_ struct image *image = import(a, dir, "one", "app:1");
    _cleanup_free_ char *out = path_join(dir, "out");
    char *images[] = {(char *)"app:1", NULL}, **names = NULL;
    struct save_options save = {.images = images, .output = out, .format = format};
    CHECK_INT(save_images(a, &save, &err), 0);
    int r = load_images(b, &(struct load_options){.input = out}, &names, &err);
    CHECK_STRING(err.text, "");
    CHECK_INT(r, 0);
    CHECK_INT(strv_length(names), 1);
    if (!string_equal(format, "docker-dir"))
        CHECK_STRING(names[0], "localhost/app:1");
    _cleanup_image_ struct image *loaded = NULL;
    CHECK_INT(image_lookup(b, image->id, &loaded, &err), 0);
    CHECK_STRING(loaded->layers[0], image->layers[0]);
    _cleanup_free_ char *file = xasprintf("%s/layers/%s/diff/file", b->root, loaded->layers[0]);
    CHECK(path_exists(file));
    _cleanup_free_ char *tmp = path_join(b->root, "tmp");
    CHECK(rmdir(tmp) == 0);
    strv_free(names);
}

static void docker_archive(void)
{
    there_and_back(NULL);
}

static void oci_archive(void)
{
    there_and_back("oci-archive");
}

static void oci_dir(void)
{
    there_and_back("oci-dir");
}

static void docker_dir(void)
{
    there_and_back("docker-dir");
}

static void several(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *a = fresh(dir, "a"), *b = fresh(dir, "b");
    struct error err = {0};
    _cleanup_image_ struct image *one = import(a, dir, "one", "one");
    _cleanup_image_ struct image *two = import(a, dir, "two", "two");
    CHECK_INT(image_tag(a, "one", "uno", &err), 0);
    _cleanup_free_ char *out = path_join(dir, "out");
    char *images[] = {(char *)"one", (char *)"two", (char *)"uno", NULL};
    struct save_options save = {.images = images, .output = out};
    CHECK_INT(save_images(a, &save, &err), 0);
    shell(dir, "gzip out && mv out.gz out");
    _cleanup_strv_ char **names = NULL;
    CHECK_INT(load_images(b, &(struct load_options){.input = out}, &names, &err), 0);
    CHECK_INT(strv_length(names), 2);
    CHECK_INT(image_known(b, "uno", &err), 1);
    CHECK_INT(image_known(b, two->id, &err), 1);
    save.format = "oci-archive";
    CHECK(save_images(a, &save, &err) < 0);
    CHECK_CONTAINS(err.text, "multi-image");
    save.format = "bogus";
    CHECK(save_images(a, &save, &err) < 0);
    CHECK_CONTAINS(err.text, "unknown format");
    save = (struct save_options){.images = images, .output = "/nonexistent/x"};
    CHECK(save_images(a, &save, &err) < 0);
    CHECK_CONTAINS(err.text, "open /nonexistent/x");
}

static void pulled_from_files(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *a = fresh(dir, "a"), *b = fresh(dir, "b");
    struct error err = {0};
    _cleanup_image_ struct image *image = import(a, dir, "one", "app:1");
    static const char *const places[] = {"oci-archive:%s/1.tar", "docker-archive:%s/2.tar",
                                         "oci:%s/three", "dir:%s/four"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        _cleanup_free_ char *place = NULL;
        const char *rest = strstr(places[i], "%s") + 2;
        place = xasprintf("%.*s%s%s", (int)(rest - 2 - places[i]), places[i], dir, rest);
        _cleanup_image_ struct image *pulled = NULL;
        struct registry_options o = {0};
        CHECK_INT(registry_push(a, image, "localhost/app:1", place, &o, &err), 0);
        int r = registry_pull(b, place, &o, &pulled, &err);
        CHECK_STRING(err.text, "");
        CHECK_INT(r, 0);
        CHECK_STRING(pulled->id, image->id);
        CHECK(pulled->names[0]);
        CHECK_INT(image_remove(b, pulled->id, true, NULL, NULL, &err), 0);
    }
}

static void refuse(struct store *s, const char *dir, const char *script, const char *why)
{
    _cleanup_free_ char *clean = xasprintf("rm -rf x bad && mkdir x && %s", script);
    shell(dir, clean);
    _cleanup_free_ char *bad = path_join(dir, "bad");
    _cleanup_strv_ char **names = NULL;
    struct error err = {0};
    CHECK(load_images(s, &(struct load_options){.input = bad}, &names, &err) < 0);
    CHECK_CONTAINS(err.text, why);
    _cleanup_image_list_ struct image_list list = {0};
    CHECK_INT(image_list(s, &list, &err), 0);
    CHECK_INT(list.count, 0);
}

static void bad_input(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    _cleanup_store_ struct store *s = fresh(dir, "a");
    static const char unknown[] = "payload does not match any of the supported image formats:\n";
    refuse(s, dir, "echo nonsense >bad", unknown);
    refuse(s, dir, "true >bad", unknown);
    refuse(s, dir, "mkdir bad", unknown);
    refuse(s, dir, "touch x/a && tar -C x -cf bad .", unknown);
    refuse(s, dir,
           "echo '[{\"Config\":\"/etc/passwd\",\"Layers\":[]}]' >x/manifest.json && "
           "tar -C x -cf bad .",
           "\"/etc/passwd\"");
    refuse(s, dir,
           "echo '[{\"Config\":\"c\",\"Layers\":[]}]' >x/manifest.json && "
           "ln -s /etc/passwd x/c && tar -C x -cf bad .",
           "\"c\"");
    refuse(s, dir,
           "echo '[{\"Config\":\"c\",\"Layers\":[\"f\"]}]' >x/manifest.json && "
           "echo '{}' >x/c && mkfifo x/f && tar -C x -cf bad .",
           "no regular file");
    refuse(s, dir, "echo '[]' >x/manifest.json && tar -C x -cf bad .", "no image");
    refuse(s, dir, "echo '{\"manifests\":[]}' >x/index.json && tar -C x -cf bad .", "no image");
    refuse(s, dir, "echo '{' >x/index.json && tar -C x -cf bad .", "not valid JSON");
    refuse(s, dir,
           "echo '[{\"Config\":\"c\",\"Layers\":[\"l\"]}]' >x/manifest.json && echo x >x/l && "
           "echo '{\"rootfs\":{\"diff_ids\":[\"sha256:"
           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]}}' >x/c && "
           "tar -C x -cf bad .",
           "l");
    struct error err = {0};
    char **names = NULL;
    CHECK(load_images(s, &(struct load_options){.input = "/nonexistent"}, &names, &err) < 0);
    CHECK_STRING(err.text, "open /nonexistent: no such file or directory");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(docker_archive), TEST(oci_archive),       TEST(oci_dir),   TEST(docker_dir),
        TEST(several),        TEST(pulled_from_files), TEST(bad_input),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
