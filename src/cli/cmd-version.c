#include <stdio.h>
#include <sys/utsname.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"

struct version_options {
    char *format;
};

static const struct option table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct version_options, format), "string",
     "Change the output format to JSON or a Go template"},
    {0},
};

static struct json *describe(void)
{
    struct utsname machine;
    uname(&machine);
    const char *arch = string_equal(machine.machine, "x86_64")    ? "amd64"
                       : string_equal(machine.machine, "aarch64") ? "arm64"
                                                                  : machine.machine;
    _cleanup_strv_ char **os_arch = NULL;
    strv_addf(&os_arch, "linux/%s", arch);
    struct json *client = js_object();
    js_set(client, "APIVersion", js_string(FIRN_VERSION));
    js_set(client, "Version", js_string(FIRN_VERSION));
    js_set(client, "Compiler", js_string("gcc " __VERSION__));
    js_set(client, "OsArch", js_string(os_arch[0]));
    js_set(client, "Os", js_string("linux"));
    struct json *o = js_object();
    js_set(o, "Client", client);
    return o;
}

static int run(struct call *c, struct error *err)
{
    const struct version_options *o = c->options;
    static const struct template_options names = {"version", "*define.Version"};
    _cleanup_json_ struct json *version = describe();
    if (report_is_json(o->format)) {
        report_json(version, 2);
        return 0;
    }
    return report_object(&names,
                         o->format ? o->format
                                   : "Client:\tFirn Engine\nVersion:\t{{.Client.Version}}\nAPI "
                                     "Version:\t{{.Client.APIVersion}}\n"
                                     "Compiler:\t{{.Client.Compiler}}\n"
                                     "OS/Arch:\t{{.Client.OsArch}}",
                         version, err);
}

const struct command command_version = {
    .paths = {"version"},
    .usage = "[options]",
    .help = "Display the firn version information",
    .options = table,
    .options_size = sizeof(struct version_options),
    .flags = COMMAND_WITHOUT_STORE,
    .run = run,
};
