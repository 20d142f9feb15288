/* Status codes and error text shared by everything below csrc/py.
 *
 * Functions that can fail return an mvn_status. Where the caller can use more than the code, they
 * also take a `mvn_error *`, which may be NULL and is only written on failure. Nothing here owns
 * memory. */
#ifndef MVN_CORE_STATUS_H
#define MVN_CORE_STATUS_H

typedef enum {
    MVN_OK = 0,
    MVN_ENOMEM,    /* an allocation failed */
    MVN_ETRUNCATED, /* the bytes ended inside a value */
    MVN_EFORMAT,   /* the bytes break the format */
    MVN_ERANGE,    /* a value lies outside what its field can hold */
    MVN_EDEPTH,    /* messages are nested deeper than MVN_MAX_DEPTH */
    MVN_ETOOBIG    /* a size exceeds what can be represented or is allowed */
} mvn_status;

#if defined(__GNUC__)
#define MVN_MUST_CHECK __attribute__((warn_unused_result))
#define MVN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MVN_NOINLINE __attribute__((noinline))
#define MVN_LIKELY(x) __builtin_expect(!!(x), 1)
#define MVN_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define MVN_MUST_CHECK
#define MVN_PRINTF(fmt, args)
#define MVN_NOINLINE
#define MVN_LIKELY(x) (x)
#define MVN_UNLIKELY(x) (x)
#endif

typedef struct {
    mvn_status status;
    char message[256]; /* NUL-terminated, cut to fit */
} mvn_error;

/* Fills `error` (if not NULL) and returns `status`, so that a failing function can end with
 * `return mvn_fail(error, MVN_EFORMAT, "...", ...)`. */
mvn_status mvn_fail(mvn_error *error, mvn_status status, const char *format, ...)
    MVN_PRINTF(3, 4);

/* A constant English phrase for `status`; never NULL. */
const char *mvn_status_text(mvn_status status);

#endif
