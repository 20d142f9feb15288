/* The replies of Search, HybridSearch, Query, Insert, Upsert and Delete, indexed in one bounded
 * pass: where everything lies and how many there are, for csrc/py to make objects of.
 *
 * Nothing is believed that the bytes do not hold: counts are counted. Pieces of a message that
 * occurs more than once are merged as protobuf merges them; unknown fields, and known ones of an
 * unexpected wire type, are skipped. Spans point into the reply or into the arena; both must
 * outlive the index. Strings are not checked for UTF-8. Thread-safe for distinct arenas. */
#ifndef MVN_CORE_RESULT_INDEX_H
#define MVN_CORE_RESULT_INDEX_H

#include "column.h"

/* common.Status */
typedef struct {
    int32_t code;
    int32_t error_code;
    mvn_span reason;
    bool retriable;
    mvn_items extra_info; /* map entries: {1: key, 2: value} */
} mvn_reply_status;

static inline bool mvn_reply_failed(const mvn_reply_status *status)
{
    return status->code != 0 || status->error_code != 0;
}

typedef enum { MVN_IDS_NONE = 0, MVN_IDS_INT = 1, MVN_IDS_STRING = 2 } mvn_ids_kind;

/* schema.IDs */
typedef struct {
    mvn_ids_kind kind;
    size_t count;
    mvn_span numbers;  /* INT: varints */
    mvn_items strings; /* STRING */
} mvn_ids;

/* milvus.SearchResults and the schema.SearchResultData in it */
typedef struct {
    mvn_reply_status status;
    uint64_t session_ts;
    int64_t num_queries; /* as sent */
    mvn_column *columns;
    size_t n_columns;
    mvn_numbers scores; /* fixed32 */
    mvn_ids ids;
    mvn_numbers topks;       /* varints, int64 as sent */
    mvn_spans output_fields; /* strings */
    bool has_iterator;       /* search_iterator_v2_results is there */
    mvn_span iterator_token;
    float iterator_bound;
    mvn_numbers recalls; /* fixed32 */
    mvn_span primary_field_name;
    mvn_spans highlights;        /* HighlightResult messages */
    mvn_numbers element_indices; /* varints */
    mvn_spans agg_buckets;       /* AggBucket messages */
    mvn_numbers agg_topks;       /* varints, int64 as sent */
} mvn_search_reply;

/* milvus.QueryResults */
typedef struct {
    mvn_reply_status status;
    uint64_t session_ts;
    mvn_column *columns;
    size_t n_columns;
    mvn_spans output_fields;
    mvn_items element_indices; /* ElementIndices messages {1: LongArray} */
} mvn_query_reply;

/* milvus.MutationResult */
typedef struct {
    mvn_reply_status status;
    mvn_ids ids;
    int64_t insert_count;
    int64_t delete_count;
    int64_t upsert_count;
    uint64_t timestamp;
} mvn_mutation_reply;

/* Each reads a whole reply. On failure `*out` is unspecified, and `error` (may be NULL) says which
 * part was malformed. When the reply's status is an error nothing but `status` is read, because
 * the rest carries no meaning then. MVN_OK, MVN_ETRUNCATED, MVN_EFORMAT, MVN_EDEPTH, MVN_ETOOBIG or
 * MVN_ENOMEM. */
MVN_MUST_CHECK mvn_status mvn_index_search(mvn_arena *arena, mvn_span reply, mvn_search_reply *out,
                                           mvn_error *error);
MVN_MUST_CHECK mvn_status mvn_index_query(mvn_arena *arena, mvn_span reply, mvn_query_reply *out,
                                          mvn_error *error);
MVN_MUST_CHECK mvn_status mvn_index_mutation(mvn_arena *arena, mvn_span reply,
                                             mvn_mutation_reply *out, mvn_error *error);

/* common.HighlightResult {1: field_name, 2: repeated HighlightData}. */
MVN_MUST_CHECK mvn_status mvn_read_highlight(mvn_span message, mvn_span *field_name,
                                             mvn_items *datas);

/* common.HighlightData {1: repeated string fragments, 2: repeated float scores}. */
MVN_MUST_CHECK mvn_status mvn_read_highlight_data(mvn_arena *arena, mvn_span message,
                                                  mvn_items *fragments, mvn_numbers *scores);

/* milvus.ElementIndices {1: LongArray}. */
MVN_MUST_CHECK mvn_status mvn_read_element_indices(mvn_arena *arena, mvn_span message,
                                                   mvn_numbers *indices);

#endif
