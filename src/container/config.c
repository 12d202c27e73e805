#include "container/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/container.h"
#include "container/draft.h"
#include "container/firn.h"
#include "container/signals.h"
#include "container/words.h"
#include "store/image.h"
#include "store/store.h"

/* --- helpers of the parts ------------------------------------------------------------------ */

int option_bool(const char *value)
{
    static const char *const yes[] = {"true", "1", "t", "yes", "on"};
    static const char *const no[] = {"false", "0", "f", "no", "off"};
    if (!value)
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcasecmp(value, yes[i]) == 0)
            return 1;
        if (strcasecmp(value, no[i]) == 0)
            return 0;
    }
    return -EINVAL;
}

struct json *draft_object(struct json *parent, const char *key)
{
    struct json *o = js_get(parent, key);
    if (o)
        return o;
    js_set(parent, key, js_object());
    return js_get(parent, key);
}

const char *option_split(const char *text, char **ret_key)
{
    char *key = xstrdup(text);
    *ret_key = key;
    char *equals = strchr(key, '=');
    if (!equals)
        return NULL;
    *equals = '\0';
    return equals + 1;
}

/* --- names --------------------------------------------------------------------------------- */

int config_check_name(const char *name, struct error *err)
{
    bool good = isalnum((unsigned char)*name);
    for (const char *p = name; *p && good; p++)
        good = isalnum((unsigned char)*p) || strchr("_.-", *p);
    if (good)
        return 0;
    return error_kind_set(err, ERROR_USAGE,
                          "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument");
}

char *config_random_name(struct firn *firn)
{
    char *name = NULL;
    for (int attempt = 0; attempt < 20; attempt++) {
        uint16_t r[2] = {0};
        (void)!getrandom(r, sizeof(r), 0);
        free(name);
        name = xasprintf("%s_%s", words_adjectives[r[0] % words_adjective_count],
                         words_surnames[r[1] % words_surname_count]);
        int64_t taken = 0;
        if (database_number(firn->store->db, 0, &taken, NULL,
                            "SELECT count(*) FROM containers WHERE name = ?", "s", name) < 0 ||
            !taken)
            return name;
    }
    char *longer = xasprintf("%s%lld", name, (long long)(now_ns() % 100000));
    free(name);
    return longer;
}

/* --- the plain parts ----------------------------------------------------------------------- */

static int draft_identity(struct draft *d, struct error *err)
{
    const struct create_options *o = d->options;
    if (o->name) {
        int r = config_check_name(o->name, err);
        if (r < 0)
            return error_wrap(err, "running container create option");
    }
    char id[ID_HEX_SIZE];
    if (d->options->id)
        snprintf(id, sizeof(id), "%s", d->options->id);
    else
        random_id(id);
    _cleanup_free_ char *name = o->name ? xstrdup(o->name) : config_random_name(d->firn);
    _cleanup_free_ char *created = time_rfc3339(now_ns());
    _cleanup_free_ char *directory = store_container_dir(d->firn->store, id);
    _cleanup_free_ char *shm = path_join(directory, "shm");
    js_set(d->config, "id", js_string(id));
    js_set(d->config, "name", js_string(name));
    js_set(d->config, "CreateCommand", js_strings(o->create_command));
    js_set(d->config, "RawImageName", js_string(o->image));
    js_set(d->config, "rootfsImageID", js_string(d->image->id));
    js_set(d->config, "ShmDir", js_string(shm));
    js_set(d->config, "staticDir", js_string(directory));
    js_set(d->config, "createdTime", js_string(created));
    js_set(d->config, "createWorkingDir", js_bool(!o->workdir));
    js_set(d->config, "cgroupManager", js_string(d->firn->cgroup_manager));
    if (o->cgroup_parent)
        js_set(d->config, "cgroupParent", js_string(o->cgroup_parent));
    return 0;
}

static int draft_runtime(struct draft *d, struct error *err)
{
    const char *path = firn_runtime(d->firn, err);
    if (!path)
        return -err->code;
    const char *slash = strrchr(path, '/');
    /* A runtime given by its path is kept as a path, one known by its name travels by name. */
    bool by_path = d->firn->runtime_option && strchr(d->firn->runtime_option, '/');
    js_set(d->config, "runtime", js_string(by_path ? path : slash ? slash + 1 : path));
    return 0;
}

static int draft_shm_size(struct draft *d, struct error *err)
{
    uint64_t size = 65536 * 1024;
    if (d->options->shm_size) {
        int r = size_parse(d->options->shm_size, &size, err);
        if (r < 0)
            return error_wrap(err, "unable to translate --shm-size");
    }
    js_set(d->config, "shmSize", js_int((int64_t)size));
    return 0;
}

static int add_log_option(struct draft *d, const char *option, struct error *err)
{
    _cleanup_free_ char *key = NULL;
    const char *value = option_split(option, &key);
    if (!value)
        return error_kind_set(err, ERROR_USAGE, "invalid log option: %s", option);
    if (strcmp(key, "path") == 0) {
        js_set(d->config, "logPath", js_string(value));
        return 0;
    }
    if (strcmp(key, "max-size") == 0) {
        uint64_t size;
        int r = size_parse(value, &size, err);
        if (r < 0)
            return r;
        js_set(d->config, "logSize", js_int((int64_t)size));
        return 0;
    }
    return error_kind_set(err, ERROR_USAGE, "log option %s is not supported: use path or max-size",
                          key);
}

static int draft_log(struct draft *d, struct error *err)
{
    const char *driver = d->options->log_driver ? d->options->log_driver : "k8s-file";
    if (strcmp(driver, "json-file") == 0)
        driver = "k8s-file";
    if (strcmp(driver, "k8s-file") != 0 && strcmp(driver, "none") != 0)
        return error_kind_set(err, ERROR_USAGE,
                              "log driver %s is not supported: use k8s-file or none", driver);
    js_set(d->config, "logDriver", js_string(driver));
    if (strcmp(driver, "none") != 0) {
        _cleanup_free_ char *path = path_join(js_get_string(d->config, "staticDir"), "ctr.log");
        js_set(d->config, "logPath", js_string(path));
    }
    STRV_FOREACH(option, d->options->log_opts)
    {
        int r = add_log_option(d, *option, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int draft_stop(struct draft *d, struct error *err)
{
    const char *name = d->options->stop_signal;
    if (!name && *image_stop_signal(d->image))
        name = image_stop_signal(d->image);
    int signal = name ? signal_parse(name, err) : 15;
    if (signal < 0)
        return signal;
    long timeout = 10;
    if (d->options->stop_timeout) {
        char *end;
        timeout = strtol(d->options->stop_timeout, &end, 10);
        if (!*d->options->stop_timeout || *end || timeout < 0)
            return error_kind_set(err, ERROR_USAGE, "invalid stop timeout \"%s\"",
                                  d->options->stop_timeout);
    }
    js_set(d->config, "stopSignal", js_int(signal));
    js_set(d->config, "stopTimeout", js_int(timeout));
    return 0;
}

static int draft_restart(struct draft *d, struct error *err)
{
    const char *policy = d->options->restart;
    if (!policy || !*policy || strcmp(policy, "no") == 0)
        return 0;
    if (d->options->remove)
        return error_kind_set(err, ERROR_USAGE,
                              "the --rm option conflicts with --restart, when the restartPolicy is "
                              "not \"\" and \"no\"");
    return error_kind_set(err, ERROR_USAGE, "restart policy %s is not supported: use no", policy);
}

static int add_labels_of_file(struct json *labels, const char *path, struct error *err)
{
    _cleanup_buf_ struct buf b = {0};
    int r = file_read(path, &b, err);
    if (r < 0)
        return r;
    _cleanup_strv_ char **lines = strv_split(b.data ? b.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        if (!**line || **line == '#')
            continue;
        _cleanup_free_ char *key = NULL;
        const char *value = option_split(*line, &key);
        js_set(labels, key, js_string(value ? value : ""));
    }
    return 0;
}

static int draft_labels(struct draft *d, struct error *err)
{
    const struct json *own = image_labels(d->image);
    _cleanup_json_ struct json *labels = own ? js_copy(own) : js_object();
    STRV_FOREACH(file, d->options->label_files)
    {
        int r = add_labels_of_file(labels, *file, err);
        if (r < 0)
            return r;
    }
    STRV_FOREACH(label, d->options->labels)
    {
        _cleanup_free_ char *key = NULL;
        const char *value = option_split(*label, &key);
        if (!*key)
            return error_kind_set(
                err, ERROR_USAGE,
                "unable to process labels: invalid label \"%s\": must not start with =", *label);
        js_set(labels, key, js_string(value ? value : ""));
    }
    if (js_count(labels))
        js_set(d->config, "labels", take_ptr(labels));
    return 0;
}

static int draft_annotations(struct draft *d, struct error *err)
{
    struct json *a = draft_object(d->spec, "annotations");
    _cleanup_free_ char *signal = xasprintf("%d", (int)js_get_int(d->config, "stopSignal", 15));
    js_set(a, "io.container.manager", js_string("libpod"));
    js_set(a, "org.opencontainers.image.stopSignal", js_string(signal));
    js_set(a, "io.podman.annotations.autoremove", js_string(d->options->remove ? "TRUE" : "FALSE"));
    js_set(a, "io.podman.annotations.init", js_string(d->options->init ? "TRUE" : "FALSE"));
    js_set(a, "io.podman.annotations.privileged",
           js_string(d->options->privileged ? "TRUE" : "FALSE"));
    STRV_FOREACH(annotation, d->options->annotations)
    {
        _cleanup_free_ char *key = NULL;
        const char *value = option_split(*annotation, &key);
        if (!value)
            return error_kind_set(err, ERROR_USAGE, "annotations must be formatted KEY=VALUE");
        js_set(a, key, js_string(value));
    }
    return 0;
}

static int draft_files(struct draft *d, struct error *err)
{
    const struct create_options *o = d->options;
    if (o->timezone)
        return error_kind_set(err, ERROR_USAGE, "--tz is not supported");
    if (o->pidfile)
        js_set(d->config, "pid_file", js_string(o->pidfile));
    if (o->conmon_pidfile)
        js_set(d->config, "conmonPidFile", js_string(o->conmon_pidfile));
    js_set(d->own, "noHosts", js_bool(o->no_hosts));
    const struct {
        const char *key;
        char *const *list;
    } lists[] = {
        {"hostsAdd", o->add_hosts},
        {"dnsServer", o->dns},
        {"dnsSearch", o->dns_search},
        {"dnsOption", o->dns_options},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (lists[i].list)
            js_set(d->config, lists[i].key, js_strings(lists[i].list));
    return 0;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int (*const parts[])(struct draft *, struct error *) = {
    draft_identity, draft_runtime,  draft_shm_size,    draft_log,       draft_stop,
    draft_restart,  draft_labels,   draft_annotations, draft_files,     draft_namespaces,
    draft_process,  draft_security, draft_devices,     draft_resources, draft_mounts,
};

int config_make(struct firn *firn, const struct create_options *options, const struct image *image,
                struct json **ret, struct error *err)
{
    _cleanup_json_ struct json *config = js_object();
    struct draft d = {.firn = firn, .options = options, .image = image, .config = config};
    d.spec = draft_object(config, "spec");
    js_set(d.spec, "ociVersion", js_string("1.0.2"));
    d.own = draft_object(config, "firn");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int r = parts[i](&d, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(config);
    return 0;
}
