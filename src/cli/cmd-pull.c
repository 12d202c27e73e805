#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/failures.h"
#include "cli/stderr-progress.h"
#include "store/registry.h"

struct pull_options {
    bool all_tags, quiet, tls_verify, disable_content_trust;
    char *arch, *os, *variant, *platform, *authfile, *cert_dir, *creds;
};

#define PULL(field) offsetof(struct pull_options, field)

static const struct option table[] = {
    {"all-tags", 'a', OPTION_BOOL, PULL(all_tags),
     .help = "All tagged images in the repository will be pulled"},
    {"arch", 0, OPTION_STRING, PULL(arch), "ARCH",
     "Use ARCH instead of the architecture of the machine for choosing images"},
    {"authfile", 0, OPTION_STRING, PULL(authfile), "string",
     "Path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override"},
    {"cert-dir", 0, OPTION_STRING, PULL(cert_dir), "string",
     "Pathname of a directory containing TLS certificates and keys"},
    {"creds", 0, OPTION_STRING, PULL(creds), "string",
     "Credentials (USERNAME:PASSWORD) to use for authenticating to a registry"},
    {"disable-content-trust", 0, OPTION_BOOL, PULL(disable_content_trust),
     .help = "This is a Docker specific option and is a NOOP"},
    {"os", 0, OPTION_STRING, PULL(os), "OS",
     "Use OS instead of the running OS for choosing images"},
    {"platform", 0, OPTION_STRING, PULL(platform), "string",
     "Specify the platform for selecting the image.  (Conflicts with arch and os)"},
    {"quiet", 'q', OPTION_BOOL, PULL(quiet),
     .help = "Suppress output information when pulling images"},
    {"tls-verify", 0, OPTION_BOOL, PULL(tls_verify),
     .help = "Require HTTPS and verify certificates when contacting registries", .initial = "true"},
    {"variant", 0, OPTION_STRING, PULL(variant), "string",
     "Use VARIANT instead of the running architecture variant for choosing images"},
    {0},
};

/* "os/arch/variant". The parts belong to `parts`. */
static int split_platform(const struct pull_options *o, char ***parts,
                          struct registry_options *registry, struct error *err)
{
    if (!o->platform)
        return 0;
    if (o->arch || o->os)
        return error_kind_set(err, ERROR_USAGE,
                              "--platform option can not be specified with --arch or --os");
    *parts = strv_split(o->platform, '/');
    size_t count = strv_length(*parts);
    registry->os = (*parts)[0];
    registry->arch = count > 1 ? (*parts)[1] : NULL;
    registry->variant = count > 2 ? (*parts)[2] : registry->variant;
    return 0;
}

static int run(struct call *call, struct error *err)
{
    const struct pull_options *o = call->options;
    struct failures failures = {0};
    _cleanup_strv_ char **platform = NULL;
    struct registry_options registry = {
        .creds = o->creds,
        .authfile = o->authfile,
        .cert_dir = o->cert_dir,
        .arch = o->arch,
        .os = o->os,
        .variant = o->variant,
        .all_tags = o->all_tags,
        .progress = stderr_progress(o->quiet),
    };
    if (option_given(call->given, "tls-verify"))
        registry.tls = o->tls_verify ? REGISTRY_TLS_VERIFY : REGISTRY_TLS_SKIP;
    int r = split_platform(o, &platform, &registry, err);
    if (r < 0)
        return r;
    STRV_FOREACH(name, call->args)
    {
        _cleanup_image_ struct image *image = NULL;
        struct error one = {0};
        if (registry_pull(call->firn->store, *name, &registry, &image, &one) < 0)
            failures_add(&failures, &one);
        else
            printf("%s\n", image->id);
        fflush(stdout);
    }
    return failures_end(&failures, err);
}

const struct command command_pull = {
    .paths = {"pull", "image pull"},
    .usage = "[options] IMAGE [IMAGE...]",
    .help = "Pull an image from a registry",
    .options = table,
    .options_size = sizeof(struct pull_options),
    .args_least = 1,
    .args_most = ARGS_ANY,
    .run = run,
};
