#include "container/files.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/network.h"

static int write_file(struct container *c, const char *name, const struct buf *b, struct error *err)
{
    _cleanup_free_ char *path = container_path(c, name);
    return file_write_atomic(path, b->data ? b->data : "", b->size, 0644, false, err);
}

static void end_line(struct buf *b)
{
    if (b->size && b->data[b->size - 1] != '\n')
        buf_add_char(b, '\n');
}

static int write_hosts(struct container *c, struct error *err)
{
    if (js_bool_value(js_path(c->config, "firn", "noHosts", NULL)))
        return 0;
    _cleanup_buf_ struct buf b = {0};
    _cleanup_strv_ char **added = js_get_strings(c->config, "hostsAdd");
    STRV_FOREACH(entry, added)
    {
        const char *colon = strchr(*entry, ':');
        if (!colon)
            return error_kind_set(err, ERROR_USAGE,
                                  "invalid host entry \"%s\": use --add-host HOST:IP", *entry);
        buf_printf(&b, "%s\t%.*s\n", colon + 1, (int)(colon - *entry), *entry);
    }
    _cleanup_buf_ struct buf host = {0};
    if (file_read("/etc/hosts", &host, NULL) == 0 && host.size)
        buf_add(&b, host.data, host.size);
    else
        buf_add_string(&b, "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
    end_line(&b);
    if (string_equal(js_get_string(c->config, "networkMode"), "none"))
        buf_printf(&b, "127.0.0.1\t%s %s\n", container_hostname(c), c->name);
    _cleanup_free_ char *own = network_hosts(c);
    buf_add_string(&b, own);
    return write_file(c, "hosts", &b, err);
}

static void add_resolver(struct buf *b, const char *word, char *const *list, bool one_line)
{
    if (!strv_length(list))
        return;
    STRV_FOREACH(entry, list)
    {
        buf_printf(b, "%s %s%s", entry == list || !one_line ? word : "", *entry,
                   one_line ? "" : "\n");
    }
    if (one_line)
        buf_add_char(b, '\n');
}

/* In a namespace of its own the host's loopback is out of reach. */
static bool is_loopback_server(const char *line)
{
    const char *server = string_after(line, "nameserver ");
    return server && (string_starts(server, "127.") || strcmp(server, "::1") == 0);
}

/* The host's file, in which each --dns* option replaces the lines of its kind. */
static int write_resolv_conf(struct container *c, struct error *err)
{
    _cleanup_strv_ char **servers = network_name_servers(c);
    _cleanup_strv_ char **search = network_search_domains(c);
    _cleanup_strv_ char **own_servers = js_get_strings(c->config, "dnsServer");
    _cleanup_strv_ char **own_search = js_get_strings(c->config, "dnsSearch");
    strv_add_all(&servers, own_servers);
    strv_add_all(&search, own_search);
    _cleanup_strv_ char **options = js_get_strings(c->config, "dnsOption");
    _cleanup_buf_ struct buf b = {0}, host = {0};
    add_resolver(&b, "search", search, true);
    add_resolver(&b, "nameserver", servers, false);
    add_resolver(&b, "options", options, true);
    file_read("/etc/resolv.conf", &host, NULL);
    _cleanup_strv_ char **lines = strv_split(host.data ? host.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        bool replaced = (strv_length(search) &&
                         (string_starts(*line, "search") || string_starts(*line, "domain"))) ||
                        (strv_length(servers) && string_starts(*line, "nameserver")) ||
                        (strv_length(options) && string_starts(*line, "options")) ||
                        (network_is_private(c) && is_loopback_server(*line));
        if (**line && !replaced)
            buf_printf(&b, "%s\n", *line);
    }
    return write_file(c, "resolv.conf", &b, err);
}

static int write_hostname(struct container *c, struct error *err)
{
    _cleanup_buf_ struct buf b = {0};
    const char *name = container_hostname(c);
    if (!*name)
        name = js_text(js_path(c->config, "firn", "hostname", NULL));
    buf_printf(&b, "%s\n", name ? name : "");
    return write_file(c, "hostname", &b, err);
}

/* Programs look for this file to learn that they are in a container; its content is for the
 * privileged ones only. */
static int write_containerenv(struct container *c, struct error *err)
{
    _cleanup_buf_ struct buf b = {0};
    if (js_get_bool(c->config, "privileged", false))
        buf_printf(&b,
                   "engine=\"firn-%s\"\nname=\"%s\"\nid=\"%s\"\nimage=\"%s\"\nimageid=\"%s\"\n"
                   "rootless=%d\n",
                   FIRN_VERSION, c->name, c->id, container_image_name(c), container_image_id(c),
                   c->firn->rootless);
    return write_file(c, "containerenv", &b, err);
}

int files_write(struct container *c, struct error *err)
{
    int r = write_hosts(c, err);
    if (r == 0)
        r = write_resolv_conf(c, err);
    if (r == 0)
        r = write_hostname(c, err);
    if (r == 0)
        r = write_containerenv(c, err);
    return r;
}
