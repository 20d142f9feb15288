#include "status.h"

#include <stdarg.h>
#include <stdio.h>

mvn_status mvn_fail(mvn_error *error, mvn_status status, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        error->status = status;
        va_start(args, format);
        (void)vsnprintf(error->message, sizeof(error->message), format, args);
        va_end(args);
    }
    return status;
}

const char *mvn_status_text(mvn_status status)
{
    switch (status) {
    case MVN_OK:
        return "ok";
    case MVN_ENOMEM:
        return "out of memory";
    case MVN_ETRUNCATED:
        return "message is cut short";
    case MVN_EFORMAT:
        return "malformed message";
    case MVN_ERANGE:
        return "value out of range";
    case MVN_EDEPTH:
        return "message is nested too deeply";
    case MVN_ETOOBIG:
        return "message is too large";
    }
    return "unknown status";
}
