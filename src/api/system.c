#include "api/system.h"

#include <sys/utsname.h>

#include "api/routes.h"
#include "base/alloc.h"
#include "base/strv.h"
#include "container/info.h"

/* What we speak: of Podman's API what its client 4.3.1 and later need, of Docker's the version that
 * Podman has. */
#define LIBPOD_VERSION     "4.3.1"
#define LIBPOD_MIN_VERSION "4.0.0"
#define DOCKER_VERSION     "1.41"
#define DOCKER_MIN_VERSION "1.24"

const char *const system_headers[] = {
    "Api-Version",  DOCKER_VERSION, "Libpod-Api-Version",
    LIBPOD_VERSION, "Server",       "Firn/" FIRN_VERSION " (linux)",
    NULL,
};

/* ---- ping ---- */

static int ping(struct request *r, struct reply *reply, struct error *err)
{
    reply_header(reply, "Builder-Version", "");
    reply_header(reply, "Buildkit-Version", "");
    reply_header(reply, "Cache-Control", "no-cache");
    reply_header(reply, "Docker-Experimental", "true");
    reply_header(reply, "Libpod-Buildah-Version", "1.28.2");
    reply_header(reply, "OSType", "linux");
    reply_header(reply, "Pragma", "no-cache");
    return reply_text(reply, 200, "text/plain; charset=us-ascii", "OK", err);
}

/* ---- version ---- */

static void set_component(struct json *list, const char *name, const char *version,
                          struct json *details)
{
    struct json *o = js_object();
    js_set(o, "Name", js_string(name));
    js_set(o, "Version", js_string(version));
    js_set(o, "Details", details);
    js_push(list, o);
}

static struct json *version_details(const struct utsname *u)
{
    struct json *o = js_object();
    js_set(o, "APIVersion", js_string(LIBPOD_VERSION));
    js_set(o, "Arch", js_string(info_architecture(u->machine)));
    js_set(o, "BuildTime", js_string("1970-01-01T00:00:00Z"));
    js_set(o, "Experimental", js_string("true"));
    js_set(o, "GitCommit", js_string(""));
    js_set(o, "GoVersion", js_string("none, it is C"));
    js_set(o, "KernelVersion", js_string(u->release));
    js_set(o, "MinAPIVersion", js_string(LIBPOD_MIN_VERSION));
    js_set(o, "Os", js_string("linux"));
    return o;
}

static int version(struct request *r, struct reply *reply, struct error *err)
{
    struct utsname u;
    uname(&u);
    _cleanup_json_ struct json *o = js_object();
    _cleanup_free_ char *platform = xasprintf("linux/%s", info_architecture(u.machine));
    struct json *name = js_object(), *components = js_array();
    js_set(name, "Name", js_string(platform));
    js_set(o, "Platform", name);
    /* The clients look for the engine under this name. */
    set_component(components, "Podman Engine", FIRN_VERSION, version_details(&u));
    js_set(o, "Components", components);
    js_set(o, "Version", js_string(FIRN_VERSION));
    js_set(o, "ApiVersion", js_string(DOCKER_VERSION));
    js_set(o, "MinAPIVersion", js_string(DOCKER_MIN_VERSION));
    js_set(o, "GitCommit", js_string(""));
    js_set(o, "GoVersion", js_string("none, it is C"));
    js_set(o, "Os", js_string("linux"));
    js_set(o, "Arch", js_string(info_architecture(u.machine)));
    js_set(o, "KernelVersion", js_string(u.release));
    js_set(o, "Experimental", js_bool(true));
    js_set(o, "BuildTime", js_string("1970-01-01T00:00:00Z"));
    return reply_json(reply, 200, o, err);
}

/* ---- info ---- */

static int info(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_json_ struct json *o = NULL;
    int e = info_describe(r->firn, &o, err);
    if (e < 0)
        return e;
    struct json *host = js_get(o, "host"), *remote = js_object();
    js_set(host, "serviceIsRemote", js_bool(true));
    js_set(remote, "exists", js_bool(true));
    js_set(host, "remoteSocket", remote);
    return reply_json(reply, 200, o, err);
}

static void copy(struct json *to, const char *name, struct json *value)
{
    js_set(to, name, value ? js_ref(value) : js_null());
}

/* Docker's names for the same. */
static struct json *docker_info(const struct json *p)
{
    struct json *host = js_get(p, "host"), *store = js_get(p, "store");
    struct json *containers = js_get(store, "containerStore");
    struct json *o = js_object();
    js_set(o, "ID", js_string(js_get_string(host, "hostname")));
    copy(o, "Containers", js_get(containers, "number"));
    copy(o, "ContainersRunning", js_get(containers, "running"));
    copy(o, "ContainersPaused", js_get(containers, "paused"));
    copy(o, "ContainersStopped", js_get(containers, "stopped"));
    copy(o, "Images", js_path(store, "imageStore", "number", NULL));
    copy(o, "Driver", js_get(store, "graphDriverName"));
    js_set(o, "DriverStatus", js_array());
    copy(o, "DockerRootDir", js_get(store, "graphRoot"));
    copy(o, "Name", js_get(host, "hostname"));
    js_set(o, "ServerVersion", js_string(FIRN_VERSION));
    copy(o, "KernelVersion", js_get(host, "kernel"));
    copy(o, "OperatingSystem", js_path(host, "distribution", "distribution", NULL));
    js_set(o, "OSType", js_string("linux"));
    struct utsname u;
    uname(&u);
    js_set(o, "Architecture", js_string(u.machine));
    copy(o, "NCPU", js_get(host, "cpus"));
    copy(o, "MemTotal", js_get(host, "memTotal"));
    copy(o, "CgroupDriver", js_get(host, "cgroupManager"));
    js_set(o, "CgroupVersion",
           js_string(string_equal(js_get_string(host, "cgroupVersion"), "v2") ? "2" : "1"));
    js_set(o, "LoggingDriver", js_string("k8s-file"));
    js_set(o, "ExperimentalBuild", js_bool(true));
    js_set(o, "LiveRestoreEnabled", js_bool(true));
    js_set(o, "IndexServerAddress", js_string("https://index.docker.io/v1/"));
    js_set(o, "SecurityOptions", js_array());
    js_set(o, "Labels", js_array());
    js_set(o, "Warnings", js_array());
    return o;
}

static int info_for_docker(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_json_ struct json *p = NULL;
    int e = info_describe(r->firn, &p, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = docker_info(p);
    return reply_json(reply, 200, o, err);
}

const struct route system_routes[] = {
    {"GET", API_BOTH, "/_ping", ping, .flags = ROUTE_INLINE},
    {"HEAD", API_BOTH, "/_ping", ping, .flags = ROUTE_INLINE},
    {"GET", API_BOTH, "/version", version, .flags = ROUTE_INLINE},
    {"GET", API_LIBPOD, "/info", info},
    {"GET", API_DOCKER, "/info", info_for_docker},
    {0},
};
