/* The messages of a search aggregation: AggBucket and what it holds. Spans point into the message.
 * Every function reads one message; MVN_OK, MVN_ETRUNCATED, MVN_EFORMAT or MVN_EDEPTH. Thread-safe. */
#ifndef MVN_CORE_AGGREGATION_H
#define MVN_CORE_AGGREGATION_H

#include <stdbool.h>

#include "runs.h"

typedef enum {
    MVN_VALUE_NONE, /* no member of the oneof is set */
    MVN_VALUE_INT,
    MVN_VALUE_BOOL,
    MVN_VALUE_FLOAT,
    MVN_VALUE_DOUBLE,
    MVN_VALUE_STRING,
    MVN_VALUE_BYTES
} mvn_value_kind;

/* The member that is set of a oneof of plain values. */
typedef struct {
    mvn_value_kind kind;
    int64_t integer; /* INT, BOOL */
    double number;   /* FLOAT, DOUBLE */
    mvn_span bytes;  /* STRING (not checked for UTF-8), BYTES */
} mvn_value;

/* schema.AggBucket */
typedef struct {
    int64_t count;
    mvn_items keys;       /* BucketKeyEntry */
    mvn_items metrics;    /* map entries: alias to MetricValue */
    mvn_items hits;       /* AggHit */
    mvn_items sub_groups; /* AggBucket */
} mvn_agg_bucket;

/* BucketKeyEntry and AggHitField: a field and its value. */
typedef struct {
    int64_t field_id;
    mvn_span field_name;
    mvn_value value;
} mvn_agg_field;

/* schema.AggHit */
typedef struct {
    mvn_value pk;
    float score;
    mvn_items fields; /* AggHitField */
} mvn_agg_hit;

MVN_MUST_CHECK mvn_status mvn_read_agg_bucket(mvn_span message, mvn_agg_bucket *out);
MVN_MUST_CHECK mvn_status mvn_read_bucket_key(mvn_span message, mvn_agg_field *out);
MVN_MUST_CHECK mvn_status mvn_read_metric(mvn_span entry, mvn_span *alias, mvn_value *value);
MVN_MUST_CHECK mvn_status mvn_read_agg_hit(mvn_span message, mvn_agg_hit *out);
MVN_MUST_CHECK mvn_status mvn_read_agg_hit_field(mvn_span message, mvn_agg_field *out);

#endif
