#include "result_index.h"

static const mvn_run empty_run;

/* One field of a message under a cursor. */
typedef struct {
    uint32_t number;
    mvn_wire_type type;
} field_head;

/* Takes the payload of a sub-message and joins it to what came before. */
static mvn_status read_piece(mvn_arena *arena, mvn_reader *reader, mvn_run *run)
{
    mvn_span piece;
    mvn_status status = mvn_read_span(reader, &piece);
    return status == MVN_OK ? mvn_run_add(arena, run, piece) : status;
}

static mvn_status read_listed(mvn_arena *arena, mvn_reader *reader, mvn_spans *spans)
{
    mvn_span item;
    mvn_status status = mvn_read_span(reader, &item);
    return status == MVN_OK ? mvn_spans_add(arena, spans, item) : status;
}

static mvn_status read_int64(mvn_reader *reader, int64_t *value)
{
    uint64_t bits = 0;
    mvn_status status = mvn_read_varint(reader, &bits);
    *value = (int64_t)bits;
    return status;
}

static mvn_status read_int32(mvn_reader *reader, int32_t *value)
{
    uint64_t bits = 0;
    mvn_status status = mvn_read_varint(reader, &bits);
    *value = (int32_t)(uint32_t)bits;
    return status;
}

static bool is_numbers(field_head head, mvn_wire_type element)
{
    return head.type == MVN_WIRE_BYTES || head.type == element;
}

static mvn_status index_status(mvn_span message, mvn_reply_status *out)
{
    mvn_reader reader = mvn_reader_of(message);
    static const mvn_reply_status nothing;
    *out = nothing;
    while (!mvn_reader_done(&reader)) {
        field_head head;
        uint64_t value = 0;
        mvn_status status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status != MVN_OK) {
            return status;
        }
        if (head.number == 1 && head.type == MVN_WIRE_VARINT) {
            status = read_int32(&reader, &out->error_code);
        } else if (head.number == 2 && head.type == MVN_WIRE_BYTES) {
            status = mvn_read_span(&reader, &out->reason);
        } else if (head.number == 3 && head.type == MVN_WIRE_VARINT) {
            status = read_int32(&reader, &out->code);
        } else if (head.number == 4 && head.type == MVN_WIRE_VARINT) {
            status = mvn_read_varint(&reader, &value);
            out->retriable = value != 0;
        } else {
            status = mvn_skip(&reader, head.number, head.type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    return mvn_items_in(message, 6, &out->extra_info);
}

static mvn_status index_ids(mvn_arena *arena, mvn_span message, mvn_ids *out)
{
    static const mvn_ids nothing;
    mvn_reader reader = mvn_reader_of(message);
    mvn_run member = empty_run;
    mvn_status status;
    *out = nothing;
    while (!mvn_reader_done(&reader)) {
        field_head head;
        status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status != MVN_OK) {
            return status;
        }
        if ((head.number == MVN_IDS_INT || head.number == MVN_IDS_STRING) &&
            head.type == MVN_WIRE_BYTES) {
            if (out->kind != (mvn_ids_kind)head.number) {
                out->kind = (mvn_ids_kind)head.number;
                member = empty_run;
            }
            status = read_piece(arena, &reader, &member);
        } else {
            status = mvn_skip(&reader, head.number, head.type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    if (out->kind == MVN_IDS_INT) {
        mvn_numbers numbers;
        status = mvn_read_number_array(arena, member.span, MVN_WIRE_VARINT, &numbers);
        if (status == MVN_OK) {
            out->numbers = numbers.span;
            out->count = numbers.count;
        }
        return status;
    }
    if (out->kind == MVN_IDS_STRING) {
        status = mvn_items_in(member.span, 1, &out->strings);
        out->count = out->strings.count;
        return status;
    }
    return MVN_OK;
}

/* SearchIteratorV2Results {1: string token, 2: float last_bound}. */
static mvn_status index_iterator(mvn_span message, mvn_search_reply *out)
{
    mvn_reader reader = mvn_reader_of(message);
    while (!mvn_reader_done(&reader)) {
        field_head head;
        mvn_status status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status != MVN_OK) {
            return status;
        }
        if (head.number == 1 && head.type == MVN_WIRE_BYTES) {
            status = mvn_read_span(&reader, &out->iterator_token);
        } else if (head.number == 2 && head.type == MVN_WIRE_FIXED32) {
            uint32_t bits = 0;
            status = mvn_read_fixed32(&reader, &bits);
            memcpy(&out->iterator_bound, &bits, sizeof(bits));
        } else {
            status = mvn_skip(&reader, head.number, head.type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    return MVN_OK;
}

/* Parts of SearchResultData while its fields are read. */
typedef struct {
    mvn_spans columns;
    mvn_run scores, ids, topks, iterator, recalls, element_indices, agg_topks;
} search_parts;

static mvn_status read_search_field(mvn_arena *arena, mvn_reader *reader, field_head head,
                                    search_parts *parts, mvn_search_reply *out)
{
    const bool bytes = head.type == MVN_WIRE_BYTES;
    switch (head.number) {
    case 1:
        if (head.type == MVN_WIRE_VARINT) {
            return read_int64(reader, &out->num_queries);
        }
        break;
    case 3:
        if (bytes) {
            return read_listed(arena, reader, &parts->columns);
        }
        break;
    case 4:
        if (is_numbers(head, MVN_WIRE_FIXED32)) {
            return mvn_run_read_numbers(arena, &parts->scores, reader, head.type,
                                        MVN_WIRE_FIXED32);
        }
        break;
    case 5:
        if (bytes) {
            return read_piece(arena, reader, &parts->ids);
        }
        break;
    case 6:
        if (is_numbers(head, MVN_WIRE_VARINT)) {
            return mvn_run_read_numbers(arena, &parts->topks, reader, head.type, MVN_WIRE_VARINT);
        }
        break;
    case 7:
        if (bytes) {
            return read_listed(arena, reader, &out->output_fields);
        }
        break;
    case 11:
        if (bytes) {
            out->has_iterator = true;
            return read_piece(arena, reader, &parts->iterator);
        }
        break;
    case 12:
        if (is_numbers(head, MVN_WIRE_FIXED32)) {
            return mvn_run_read_numbers(arena, &parts->recalls, reader, head.type,
                                        MVN_WIRE_FIXED32);
        }
        break;
    case 13:
        if (bytes) {
            return mvn_read_span(reader, &out->primary_field_name);
        }
        break;
    case 14:
        if (bytes) {
            return read_listed(arena, reader, &out->highlights);
        }
        break;
    case 15:
        if (bytes) {
            return read_piece(arena, reader, &parts->element_indices);
        }
        break;
    case 18:
        if (bytes) {
            return read_listed(arena, reader, &out->agg_buckets);
        }
        break;
    case 19:
        if (is_numbers(head, MVN_WIRE_VARINT)) {
            return mvn_run_read_numbers(arena, &parts->agg_topks, reader, head.type,
                                        MVN_WIRE_VARINT);
        }
        break;
    default:
        break;
    }
    return mvn_skip(reader, head.number, head.type);
}

static mvn_status index_search_data(mvn_arena *arena, mvn_span message, mvn_search_reply *out,
                                    mvn_error *error)
{
    static const search_parts nothing;
    mvn_reader reader = mvn_reader_of(message);
    search_parts parts = nothing;
    mvn_status status;
    while (!mvn_reader_done(&reader)) {
        field_head head;
        status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status == MVN_OK) {
            status = read_search_field(arena, &reader, head, &parts, out);
        }
        if (status != MVN_OK) {
            return mvn_fail(error, status, "in SearchResultData");
        }
    }
    status = mvn_index_columns(arena, &parts.columns, &out->columns, &out->n_columns);
    if (status != MVN_OK) {
        return mvn_fail(error, status, "in fields_data");
    }
    status = index_ids(arena, parts.ids.span, &out->ids);
    if (status != MVN_OK) {
        return mvn_fail(error, status, "in ids");
    }
    status = index_iterator(parts.iterator.span, out);
    if (status != MVN_OK) {
        return mvn_fail(error, status, "in search_iterator_v2_results");
    }
    status = mvn_run_numbers(&parts.topks, MVN_WIRE_VARINT, &out->topks);
    if (status == MVN_OK) {
        status = mvn_run_numbers(&parts.scores, MVN_WIRE_FIXED32, &out->scores);
    }
    if (status == MVN_OK) {
        status = mvn_run_numbers(&parts.recalls, MVN_WIRE_FIXED32, &out->recalls);
    }
    if (status == MVN_OK) {
        status = mvn_run_numbers(&parts.agg_topks, MVN_WIRE_VARINT, &out->agg_topks);
    }
    if (status == MVN_OK) {
        status = mvn_read_number_array(arena, parts.element_indices.span, MVN_WIRE_VARINT,
                                       &out->element_indices);
    }
    return status == MVN_OK ? MVN_OK : mvn_fail(error, status, "in SearchResultData");
}

mvn_status mvn_index_search(mvn_arena *arena, mvn_span reply, mvn_search_reply *out,
                            mvn_error *error)
{
    static const mvn_search_reply nothing;
    mvn_reader reader = mvn_reader_of(reply);
    mvn_run status_run = empty_run, results = empty_run;
    mvn_status status;
    *out = nothing;
    if (reply.size > MVN_MAX_MESSAGE) {
        return mvn_fail(error, MVN_ETOOBIG, "%zu bytes", reply.size);
    }
    while (!mvn_reader_done(&reader)) {
        field_head head;
        status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status == MVN_OK) {
            if (head.number == 1 && head.type == MVN_WIRE_BYTES) {
                status = read_piece(arena, &reader, &status_run);
            } else if (head.number == 2 && head.type == MVN_WIRE_BYTES) {
                status = read_piece(arena, &reader, &results);
            } else if (head.number == 4 && head.type == MVN_WIRE_VARINT) {
                status = mvn_read_varint(&reader, &out->session_ts);
            } else {
                status = mvn_skip(&reader, head.number, head.type);
            }
        }
        if (status != MVN_OK) {
            return mvn_fail(error, status, "in SearchResults");
        }
    }
    status = index_status(status_run.span, &out->status);
    if (status != MVN_OK) {
        return mvn_fail(error, status, "in status");
    }
    if (mvn_reply_failed(&out->status)) {
        return MVN_OK;
    }
    return index_search_data(arena, results.span, out, error);
}

mvn_status mvn_index_query(mvn_arena *arena, mvn_span reply, mvn_query_reply *out,
                           mvn_error *error)
{
    static const mvn_query_reply nothing;
    mvn_reader reader = mvn_reader_of(reply);
    mvn_run status_run = empty_run;
    mvn_spans columns = {NULL, 0, 0};
    mvn_status status;
    *out = nothing;
    if (reply.size > MVN_MAX_MESSAGE) {
        return mvn_fail(error, MVN_ETOOBIG, "%zu bytes", reply.size);
    }
    while (!mvn_reader_done(&reader)) {
        field_head head;
        status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status == MVN_OK) {
            if (head.number == 1 && head.type == MVN_WIRE_BYTES) {
                status = read_piece(arena, &reader, &status_run);
            } else if (head.number == 2 && head.type == MVN_WIRE_BYTES) {
                status = read_listed(arena, &reader, &columns);
            } else if (head.number == 4 && head.type == MVN_WIRE_BYTES) {
                status = read_listed(arena, &reader, &out->output_fields);
            } else if (head.number == 5 && head.type == MVN_WIRE_VARINT) {
                status = mvn_read_varint(&reader, &out->session_ts);
            } else {
                status = mvn_skip(&reader, head.number, head.type);
            }
        }
        if (status != MVN_OK) {
            return mvn_fail(error, status, "in QueryResults");
        }
    }
    status = index_status(status_run.span, &out->status);
    if (status != MVN_OK) {
        return mvn_fail(error, status, "in status");
    }
    if (mvn_reply_failed(&out->status)) {
        return MVN_OK;
    }
    status = mvn_index_columns(arena, &columns, &out->columns, &out->n_columns);
    if (status != MVN_OK) {
        return mvn_fail(error, status, "in fields_data");
    }
    status = mvn_items_in(reply, 7, &out->element_indices);
    return status == MVN_OK ? MVN_OK : mvn_fail(error, status, "in QueryResults");
}

mvn_status mvn_index_mutation(mvn_arena *arena, mvn_span reply, mvn_mutation_reply *out,
                              mvn_error *error)
{
    static const mvn_mutation_reply nothing;
    mvn_reader reader = mvn_reader_of(reply);
    mvn_run status_run = empty_run, ids = empty_run;
    mvn_status status;
    *out = nothing;
    if (reply.size > MVN_MAX_MESSAGE) {
        return mvn_fail(error, MVN_ETOOBIG, "%zu bytes", reply.size);
    }
    while (!mvn_reader_done(&reader)) {
        field_head head;
        status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status == MVN_OK) {
            const bool varint = head.type == MVN_WIRE_VARINT;
            if (head.number == 1 && head.type == MVN_WIRE_BYTES) {
                status = read_piece(arena, &reader, &status_run);
            } else if (head.number == 2 && head.type == MVN_WIRE_BYTES) {
                status = read_piece(arena, &reader, &ids);
            } else if (head.number == 6 && varint) {
                status = read_int64(&reader, &out->insert_count);
            } else if (head.number == 7 && varint) {
                status = read_int64(&reader, &out->delete_count);
            } else if (head.number == 8 && varint) {
                status = read_int64(&reader, &out->upsert_count);
            } else if (head.number == 9 && varint) {
                status = mvn_read_varint(&reader, &out->timestamp);
            } else {
                status = mvn_skip(&reader, head.number, head.type);
            }
        }
        if (status != MVN_OK) {
            return mvn_fail(error, status, "in MutationResult");
        }
    }
    status = index_status(status_run.span, &out->status);
    if (status != MVN_OK) {
        return mvn_fail(error, status, "in status");
    }
    if (mvn_reply_failed(&out->status)) {
        return MVN_OK;
    }
    status = index_ids(arena, ids.span, &out->ids);
    return status == MVN_OK ? MVN_OK : mvn_fail(error, status, "in IDs");
}

mvn_status mvn_read_highlight(mvn_span message, mvn_span *field_name, mvn_items *datas)
{
    mvn_span unused;
    mvn_status status = mvn_read_map_entry(message, field_name, &unused);
    return status == MVN_OK ? mvn_items_in(message, 2, datas) : status;
}

mvn_status mvn_read_highlight_data(mvn_arena *arena, mvn_span message, mvn_items *fragments,
                                   mvn_numbers *scores)
{
    mvn_reader reader = mvn_reader_of(message);
    mvn_run run = empty_run;
    while (!mvn_reader_done(&reader)) {
        field_head head;
        mvn_status status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status == MVN_OK) {
            status = head.number == 2 && is_numbers(head, MVN_WIRE_FIXED32)
                         ? mvn_run_read_numbers(arena, &run, &reader, head.type, MVN_WIRE_FIXED32)
                         : mvn_skip(&reader, head.number, head.type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    mvn_status status = mvn_run_numbers(&run, MVN_WIRE_FIXED32, scores);
    return status == MVN_OK ? mvn_items_in(message, 1, fragments) : status;
}

mvn_status mvn_read_element_indices(mvn_arena *arena, mvn_span message, mvn_numbers *indices)
{
    mvn_reader reader = mvn_reader_of(message);
    mvn_run run = empty_run;
    while (!mvn_reader_done(&reader)) {
        field_head head;
        mvn_status status = mvn_read_tag(&reader, &head.number, &head.type);
        if (status == MVN_OK) {
            status = head.number == 1 && head.type == MVN_WIRE_BYTES
                         ? read_piece(arena, &reader, &run)
                         : mvn_skip(&reader, head.number, head.type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    return mvn_read_number_array(arena, run.span, MVN_WIRE_VARINT, indices);
}
