#include "container/import-config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/config.h"
#include "container/firn.h"
#include "container/import-network.h"

#define DUMP_MAX (16u << 20)

/* What comes over as it is. */
static const char *const config_keys[] = {
    "id",
    "name",
    "CreateCommand",
    "RawImageName",
    "rootfsImageID",
    "rootfsImageName",
    "shmSize",
    "createdTime",
    "logDriver",
    "logSize",
    "stopSignal",
    "stopTimeout",
    "command",
    "entrypoint",
    "labels",
    "user",
    "groups",
    "stdin",
    "umask",
    "userVolumes",
    "namedVolumes",
    "networkMode",
    "createNetNS",
    "newNetworks",
    "newPortMappings",
    "privileged",
    "hostsAdd",
    "dnsServer",
    "dnsSearch",
    "dnsOption",
    "createWorkingDir",
    "restart_policy",
    "mountAllDevices",
    "firn",
    "spec",
};
static const char *const spec_keys[] = {
    "ociVersion", "process", "root", "hostname", "mounts", "annotations", "linux",
};
static const char *const process_keys[] = {
    "terminal",        "user",        "args",        "env", "cwd", "rlimits", "capabilities",
    "noNewPrivileges", "oomScoreAdj", "consoleSize",
};
static const char *const linux_keys[] = {
    "namespaces", "resources", "maskedPaths", "readonlyPaths", "sysctl", "devices", "seccomp",
};
/* Mounts that firn makes itself. */
static const char *const own_mounts[] = {
    "/dev/shm",   "/etc/resolv.conf",   "/etc/hostname",
    "/etc/hosts", "/run/.containerenv", "/run/secrets",
};

static bool is_listed(const char *const *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], key) == 0)
            return true;
    return false;
}

static struct json *only(struct json *from, const char *const *keys, size_t count)
{
    struct json *to = js_object();
    if (!js_is_object(from))
        return to;
    JSON_FOREACH_KEY(from, it)
    {
        if (is_listed(keys, count, js_iter_key(it)))
            js_set(to, js_iter_key(it), js_copy(js_iter_value(it)));
    }
    return to;
}
#define ONLY(from, keys) only((from), (keys), ARRAY_LEN(keys))

static int foreign(const char *archive, struct error *err, const char *what)
{
    return error_set(err, EINVAL, "%s is not a checkpoint firn can restore: %s", archive, what);
}

/* ---- the parts ---- */

static int check_namespaces(const struct json *spec, const char *archive, struct error *err)
{
    const struct json *list = js_path(spec, "linux", "namespaces", NULL);
    bool pid = false;
    JSON_FOREACH(list, i)
    {
        struct json *o = js_at(list, i);
        /* Podman's own network namespaces have a path, too; ours are made anew. */
        if (string_equal(js_get_string(o, "type"), "network"))
            js_remove(o, "path");
        if (js_get(o, "path"))
            return foreign(archive, err,
                           "its container joined a namespace of the host it was made on");
        pid |= string_equal(js_get_string(js_at(list, i), "type"), "pid");
    }
    return pid ? 0 : foreign(archive, err, "its container has no pid namespace of its own");
}

static void drop_own_mounts(struct json *spec)
{
    struct json *mounts = js_get(spec, "mounts");
    for (size_t i = js_count(mounts); i-- > 0;) {
        const char *where = js_get_string(js_at(mounts, i), "destination");
        if (!where || is_listed(own_mounts, ARRAY_LEN(own_mounts), where))
            js_remove_at(mounts, i);
    }
}

static int take_spec(struct json *from, const char *archive, struct json **ret, struct error *err)
{
    _cleanup_json_ struct json *spec = ONLY(from, spec_keys);
    const struct json *process = js_get(spec, "process");
    if (!js_count(js_get(process, "args")) || !js_get_string(process, "cwd"))
        return foreign(archive, err, "spec.dump describes no process");
    if (!js_is_object(js_get(spec, "root")))
        return foreign(archive, err, "spec.dump describes no root file system");
    js_set(spec, "process", ONLY(js_get(spec, "process"), process_keys));
    js_set(spec, "linux", ONLY(js_get(spec, "linux"), linux_keys));
    int r = check_namespaces(spec, archive, err);
    if (r < 0)
        return r;
    drop_own_mounts(spec);
    *ret = take_ptr(spec);
    return 0;
}

static int check_volumes(const struct json *config, const char *archive, struct error *err)
{
    const struct json *list = js_get(config, "namedVolumes");
    JSON_FOREACH(list, i)
    {
        const char *name = js_get_string(js_at(list, i), "volumeName");
        const char *where = js_get_string(js_at(list, i), "dest");
        if (!name || !where || *where != '/' || config_check_name(name, NULL) < 0)
            return foreign(archive, err, "it names a volume that cannot be");
    }
    return 0;
}

/* ---- all of it ---- */

static int read_dump(int dirfd, const char *name, struct json **ret, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    int r = file_read_at(dirfd, name, DUMP_MAX, &text, err);
    return r < 0 ? r : js_parse(text.data, text.size, name, ret, err);
}

char *import_image_digest(int dirfd)
{
    _cleanup_json_ struct json *dump = NULL;
    if (read_dump(dirfd, "config.dump", &dump, NULL) < 0)
        return NULL;
    return xstrdup_null(js_get_string(dump, "firnImageDigest"));
}

static int set_identity(struct json *config, const char *archive, const char *name,
                        struct error *err)
{
    if (name) {
        int r = config_check_name(name, err);
        if (r < 0)
            return r;
        char id[ID_HEX_SIZE];
        random_id(id);
        js_set(config, "id", js_string(id));
        js_set(config, "name", js_string(name));
    }
    const char *id = js_get_string(config, "id"), *old = js_get_string(config, "name");
    if (!id || !is_sha256_hex(id))
        return foreign(archive, err, "config.dump has no container id");
    if (!old || config_check_name(old, NULL) < 0)
        return foreign(archive, err, "config.dump has no valid container name");
    const char *image = js_get_string(config, "rootfsImageID");
    if (!image || !is_sha256_hex(image))
        return foreign(archive, err, "config.dump names no image");
    return 0;
}

int import_config(struct firn *firn, int dirfd, const char *archive, const char *name,
                  struct json **ret, struct error *err)
{
    _cleanup_json_ struct json *dump = NULL, *spec_dump = NULL, *spec = NULL;
    int r = read_dump(dirfd, "config.dump", &dump, err);
    if (r == 0)
        r = read_dump(dirfd, "spec.dump", &spec_dump, err);
    if (r < 0)
        return error_wrap(err, "%s is not a checkpoint firn can restore", archive);
    _cleanup_json_ struct json *config = ONLY(dump, config_keys);
    struct json *own = js_get(config, "spec");
    r = set_identity(config, archive, name, err);
    if (r == 0)
        r = take_spec(js_is_object(own) ? own : spec_dump, archive, &spec, err);
    if (r == 0)
        r = check_volumes(config, archive, err);
    if (r == 0)
        r = import_network(firn, config, archive, err);
    if (r < 0)
        return r;
    js_set(config, "spec", take_ptr(spec));
    js_set(config, "cgroupManager", js_string(firn->cgroup_manager));
    _cleanup_free_ char *now = time_rfc3339(now_ns());
    js_set(config, "createdTime", js_string(now));
    *ret = take_ptr(config);
    return 0;
}
