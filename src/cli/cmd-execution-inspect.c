#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "execution/recover.h"

struct inspect_options {
    char *format;
};

static const struct option table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct inspect_options, format), "string",
     "Format the output to a Go template or json"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    static const struct template_options names = {"execution inspect", NULL};
    const struct inspect_options *o = call->options;
    _cleanup_json_ struct json *all = js_array();
    int r = recover_all(call->firn, err);
    STRV_FOREACH(name, call->args)
    {
        _cleanup_execution_ struct execution *e = NULL;
        if (r == 0)
            r = execution_lookup(call->firn, *name, &e, err);
        if (r < 0)
            return r;
        struct json *described = execution_describe(e);
        js_set(described, "Supervised", js_bool(recover_is_supervised(e)));
        js_push(all, described);
    }
    if (!o->format || report_is_json(o->format)) {
        report_json(all, 5);
        return 0;
    }
    for (size_t i = 0; r == 0 && i < js_count(all); i++)
        r = report_object(&names, o->format, js_at(all, i), err);
    return r;
}

const struct command command_execution_inspect = {
    .paths = {"execution inspect"},
    .usage = "[options] EXECUTION [EXECUTION...]",
    .help = "Display all that is known of executions",
    .options = table,
    .options_size = sizeof(struct inspect_options),
    .args_least = 1,
    .args_most = ARGS_ANY,
    .run = run,
};
