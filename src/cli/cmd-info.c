#include <stdio.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "cli/yaml.h"
#include "container/info.h"

struct info_options {
    bool debug;
    char *format;
};

static const struct option table[] = {
    {"debug", 'D', OPTION_BOOL, offsetof(struct info_options, debug)},
    {"format", 'f', OPTION_STRING, offsetof(struct info_options, format), "string",
     "Change the output format to JSON or a Go template"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct info_options *o = call->options;
    static const struct template_options names = {"info", "*define.Info"};
    _cleanup_json_ struct json *info = NULL;
    int r = info_describe(call->firn, &info, err);
    if (r < 0)
        return r;
    if (report_is_json(o->format)) {
        report_json(info, 2);
        return 0;
    }
    if (o->format)
        return report_object(&names, o->format, info, err);
    _cleanup_buf_ struct buf b = {0};
    yaml_write(info, &b);
    fputs(b.data, stdout);
    return 0;
}

const struct command command_info = {
    .paths = {"info"},
    .usage = "[options]",
    .help = "Display firn system information",
    .options = table,
    .options_size = sizeof(struct info_options),
    .run = run,
};
