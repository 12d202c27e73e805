#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/overlay.h"
#include "store/rootfs-diff.h"

/* Two layers, and a container on top of them in "a"; "b" is a fresh one of the same image. */
static const char layers_script[] =
    "mkdir -p bottom/etc bottom/gone/deep bottom/full/sub bottom/kept bottom/was-dir top/etc && "
    "for f in etc/one etc/two gone/x gone/deep/y full/a full/b full/sub/c full/sub/d kept/k "
    "  was-dir/z was-file hard; do echo $f >bottom/$f; done && "
    "ln bottom/hard bottom/hard2 && ln -s etc bottom/link && mkdir bottom/hidden && "
    "touch bottom/hidden/h && mknod top/hidden c 0 0 && echo new >top/etc/two && "
    "mkdir top/full && "
    "touch top/full/a top/full/t && mkdir top/full/sub && touch top/full/sub/d && "
    "mkdir -p a/upper a/work a/merged b/upper b/work b/merged";

static const char changes_script[] =
    "cd a/merged && echo more >>etc/one && rm etc/two && rm -r gone && echo new >added && "
    /* an opaque directory that has some of the names again, with an old directory inside */
    "rm -r full && mkdir -p full/sub && echo again >full/a && echo e >full/sub/e && "
    "rm -r was-dir && echo file >was-dir && rm was-file && mkdir was-file && touch was-file/in && "
    "chmod 700 kept && chown 12:34 kept/k && mkfifo -m 640 fifo && ln added added2 && "
    "ln -s /nowhere dangling && rm link && ln -s kept link && mknod null c 1 3 && "
    "truncate -s 1M sparse && echo end >>sparse && "
    "chmod 4755 added && touch -d @1234567890.123456789 added dangling kept && "
    "mkdir 'odd name' && touch 'odd name/\xc3\xa4\n' && mkdir hidden && touch hidden/n && "
    "touch -d @1111111111.5 . etc";

struct fixture {
    char *dir;
    char *layers[3];
};

static void shell(const char *dir, const char *script)
{
    _cleanup_free_ char *command = xasprintf("cd '%s' && { %s\n}", dir, script);
    CHECK_INT(system(command), 0);
}

static void mount_one(const struct fixture *f, const char *which)
{
    _cleanup_free_ char *upper = xasprintf("%s/%s/upper", f->dir, which);
    _cleanup_free_ char *work = xasprintf("%s/%s/work", f->dir, which);
    _cleanup_free_ char *merged = xasprintf("%s/%s/merged", f->dir, which);
    struct error err = {0};
    struct overlay o = {
        .layers = (char *const *)f->layers, .upper = upper, .work = work, .merged = merged};
    CHECK_INT(overlay_mount(&o, &err), 0);
}

static void set_xattr(const struct fixture *f, const char *name, const char *key, const char *value)
{
    _cleanup_free_ char *path = path_join(f->dir, name);
    CHECK_INT(setxattr(path, key, value, strlen(value), 0), 0);
}

static void check_xattr(const struct fixture *f, const char *name, const char *key,
                        const char *value)
{
    _cleanup_free_ char *path = path_join(f->dir, name);
    char is[64] = "";
    CHECK_INT(getxattr(path, key, is, sizeof(is) - 1), strlen(value));
    CHECK_STRING(is, value);
}

static void set_up(struct fixture *f)
{
    if (geteuid() != 0)
        SKIP("mounting needs root");
    CHECK_INT(chdir("/proc/self"), 0);
    if (system("grep -q ' 4294967295$' uid_map") != 0)
        SKIP("devices and trusted attributes need root on the host");
    f->dir = test_directory();
    f->layers[0] = path_join(f->dir, "bottom");
    f->layers[1] = path_join(f->dir, "top");
    CHECK_INT(unshare(CLONE_NEWNS), 0);
    CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    shell(f->dir, layers_script);
    set_xattr(f, "top/full", "trusted.overlay.opaque", "y");
    mount_one(f, "a");
    mount_one(f, "b");
    CHECK_INT(chdir(f->dir), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "a/merged/socket"};
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_INT(chdir("/"), 0);
    shell(f->dir, changes_script);
    set_xattr(f, "a/merged/sparse", "user.a", "b");
    set_xattr(f, "a/merged/kept", "trusted.b", "c");
}

static void tear_down(struct fixture *f)
{
    _cleanup_free_ char *a = path_join(f->dir, "a/merged"), *b = path_join(f->dir, "b/merged");
    overlay_unmount(a, NULL);
    overlay_unmount(b, NULL);
    free(f->layers[0]);
    free(f->layers[1]);
    test_directory_remove(&f->dir);
}

static void find(const struct fixture *f, struct changes *ret)
{
    struct error err = {0};
    _cleanup_free_ char *upper = path_join(f->dir, "a/upper");
    CHECK_INT(rootfs_diff_find(upper, f->layers, false, ret, &err), 0);
}

static char *as_text(const struct changes *c)
{
    _cleanup_buf_ struct buf b = {0};
    for (size_t i = 0; i < c->count; i++)
        buf_printf(&b, "%c %s\n", "CAD"[c->items[i].kind], c -> items[i].path);
    return buf_take(&b);
}

static void found(void)
{
    _cleanup_(tear_down) struct fixture f = {0};
    set_up(&f);
    _cleanup_changes_ struct changes c = {0};
    find(&f, &c);
    _cleanup_free_ char *text = as_text(&c);
    CHECK_STRING(text, "A /added\n"
                       "A /added2\n"
                       "A /dangling\n"
                       "C /etc\n"
                       "C /etc/one\n"
                       "D /etc/two\n"
                       "A /fifo\n"
                       "C /full\n"
                       "C /full/a\n"
                       "C /full/sub\n"
                       "D /full/sub/d\n"
                       "A /full/sub/e\n"
                       "D /full/t\n"
                       "D /gone\n"
                       "A /hidden\n"
                       "A /hidden/n\n"
                       "C /kept\n"
                       "C /kept/k\n"
                       "C /link\n"
                       "A /null\n"
                       "A /odd name\n"
                       "A /odd name/\xc3\xa4\n\n"
                       "A /socket\n"
                       "A /sparse\n"
                       "C /was-dir\n"
                       "C /was-file\n"
                       "A /was-file/in\n");
}

static int write_fd(void *context, const void *data, size_t size)
{
    return write_full(*(int *)context, data, size);
}

/* Takes the changes of "a" to "b" and compares the two. */
static void carry(const struct fixture *f, char *const *skip)
{
    struct error err = {0};
    _cleanup_changes_ struct changes c = {0};
    find(f, &c);
    _cleanup_free_ char *upper = path_join(f->dir, "a/upper");
    _cleanup_free_ char *merged = path_join(f->dir, "b/merged"), *tar = path_join(f->dir, "t.tar");
    _cleanup_close_ int upper_fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = open(tar, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    _cleanup_(pack_freep) struct pack *pack = NULL;
    _cleanup_(tar_reader_freep) struct tar_reader *reader = NULL;
    _cleanup_strv_ char **deleted = rootfs_diff_deleted(&c, skip);
    CHECK_INT(rootfs_diff_pack(upper_fd, skip, &pack, &err), 0);
    CHECK_INT(pack_write(pack, write_fd, &fd, &err), 0);
    struct stat st;
    CHECK_INT(fstat(fd, &st), 0);
    CHECK_INT(st.st_size, pack_size(pack));
    CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
    CHECK_INT(tar_reader_open_fd(fd, "diff", &reader, &err), 0);
    int r = rootfs_diff_apply(merged, reader, deleted, &err);
    CHECK_STRING(err.text, "");
    CHECK_INT(r, 0);
}

static void exact(void)
{
    _cleanup_(tear_down) struct fixture f = {0};
    set_up(&f);
    carry(&f, NULL);
    shell(f.dir, "look() { (cd $1/merged && find . -printf '%p %y %m %U %G %T@ %l' "
                 "  '(' -type f -printf ' %n %s %b' -o -true ')' -printf '\\n' | sort) }; "
                 "look a >a.txt; look b >b.txt; diff a.txt b.txt && "
                 "diff -r --no-dereference -x fifo -x socket -x null a/merged b/merged");
    check_xattr(&f, "b/merged/sparse", "user.a", "b");
    check_xattr(&f, "b/merged/kept", "trusted.b", "c");
}

static void left_out(void)
{
    _cleanup_(tear_down) struct fixture f = {0};
    set_up(&f);
    char *skip[] = {(char *)"/etc", (char *)"/gone", NULL};
    carry(&f, skip);
    shell(f.dir, "cd b/merged && test \"$(cat etc/one)\" = etc/one && test -e etc/two && "
                 "test -d gone && test -e added");
}

static void hostile(void)
{
    _cleanup_test_directory_ char *dir = test_directory();
    struct error err = {0};
    shell(dir, "mkdir root outside && touch outside/file && ln -s ../outside root/out && "
               "ln -s / root/abs && ln -s ../outside/file root/link && touch root/x");
    _cleanup_free_ char *root = path_join(dir, "root"), *file = path_join(dir, "outside/file");
    static const char *const bad[] = {"", "/", "x", "../outside", "/..", "/a/..", "/.", "//"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *list[] = {(char *)bad[i], NULL};
        CHECK(rootfs_diff_apply(root, NULL, list, &err) < 0);
        CHECK_CONTAINS(err.text, "bad path");
    }
    _cleanup_free_ char *absolute = xasprintf("/abs%s", file);
    char *harmless[] = {(char *)"/out/file",
                        (char *)"/../outside/file",
                        absolute,
                        (char *)"/no/such",
                        (char *)"/x/y",
                        (char *)"/link",
                        (char *)"/../../x",
                        NULL};
    CHECK_INT(rootfs_diff_apply(root, NULL, harmless, &err), 0);
    CHECK(path_exists(file));
    shell(dir, "! test -e root/x && ! test -L root/link");
}

int main(void)
{
    static const struct test tests[] = {
        TEST(found),
        TEST(exact),
        TEST(left_out),
        TEST(hostile),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
