/* libFuzzer target: the replies of data calls, indexed and then walked to the last value, as the
 * decoders of csrc/py do. What the index counts must be there when it is walked. */
#include <stdlib.h>

#include "../core/aggregation.h"
#include "../core/result_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink; /* so that each byte is really read */

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void touch(mvn_span span)
{
    unsigned sum = 0;
    for (size_t i = 0; i < span.size; i++) {
        sum += span.data[i];
    }
    sink += sum;
}

static void touch_items(const mvn_items *items)
{
    mvn_reader reader = mvn_reader_of(items->message);
    mvn_span item = {NULL, 0};
    for (size_t i = 0; i < items->count; i++) {
        require(mvn_items_next(&reader, items->number, &item) == MVN_OK);
        touch(item);
    }
}

static void touch_spans(const mvn_spans *spans)
{
    for (size_t i = 0; i < spans->count; i++) {
        touch(spans->items[i]);
    }
}

static void touch_bits(const mvn_bits *bits)
{
    mvn_span span = {bits->data, bits->count};
    touch(span);
}

static void walk_scalars(mvn_arena *arena, const mvn_scalars *scalars, int depth)
{
    touch(scalars->numbers);
    touch_bits(&scalars->bools);
    touch_bits(&scalars->valid);
    touch_items(&scalars->items);
    if (scalars->kind != MVN_SCALARS_ARRAY || depth == 0) {
        return;
    }
    mvn_reader reader = mvn_reader_of(scalars->items.message);
    mvn_span item = {NULL, 0};
    for (size_t i = 0; i < scalars->items.count; i++) {
        mvn_scalars inner;
        require(mvn_items_next(&reader, scalars->items.number, &item) == MVN_OK);
        if (mvn_index_scalars(arena, item, &inner) == MVN_OK) {
            walk_scalars(arena, &inner, depth - 1);
        }
    }
}

static void walk_vectors(mvn_arena *arena, const mvn_vectors *vectors, int depth)
{
    touch(vectors->data);
    touch_bits(&vectors->valid);
    touch_items(&vectors->items);
    if (vectors->kind != MVN_VECTORS_ARRAY || depth == 0) {
        return;
    }
    mvn_reader reader = mvn_reader_of(vectors->items.message);
    mvn_span item = {NULL, 0};
    for (size_t i = 0; i < vectors->items.count; i++) {
        mvn_vectors inner;
        require(mvn_items_next(&reader, vectors->items.number, &item) == MVN_OK);
        if (mvn_index_vectors(arena, item, &inner) == MVN_OK) {
            walk_vectors(arena, &inner, depth - 1);
        }
    }
}

static void walk_columns(mvn_arena *arena, const mvn_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const mvn_column *column = &columns[i];
        size_t rows = 0, total = 0;
        touch(column->name);
        touch_bits(&column->valid);
        (void)mvn_column_rows(column, &rows, &total);
        walk_scalars(arena, &column->scalars, 2);
        walk_vectors(arena, &column->vectors, 2);
        walk_columns(arena, column->fields, column->n_fields);
    }
}

static void walk_status(const mvn_reply_status *status)
{
    mvn_reader reader = mvn_reader_of(status->extra_info.message);
    mvn_span entry, key, value;
    touch(status->reason);
    for (size_t i = 0; i < status->extra_info.count; i++) {
        require(mvn_items_next(&reader, status->extra_info.number, &entry) == MVN_OK);
        if (mvn_read_map_entry(entry, &key, &value) == MVN_OK) {
            touch(key);
            touch(value);
        }
    }
}

static void walk_value(const mvn_value *value)
{
    touch(value->bytes);
}

static void walk_bucket(mvn_span message, int depth)
{
    mvn_agg_bucket bucket;
    mvn_span item = {NULL, 0};
    if (depth == 0 || mvn_read_agg_bucket(message, &bucket) != MVN_OK) {
        return;
    }
    mvn_reader reader = mvn_reader_of(bucket.keys.message);
    for (size_t i = 0; i < bucket.keys.count; i++) {
        mvn_agg_field field;
        require(mvn_items_next(&reader, bucket.keys.number, &item) == MVN_OK);
        if (mvn_read_bucket_key(item, &field) == MVN_OK) {
            touch(field.field_name);
            walk_value(&field.value);
        }
    }
    reader = mvn_reader_of(bucket.metrics.message);
    for (size_t i = 0; i < bucket.metrics.count; i++) {
        mvn_value value;
        mvn_span alias;
        require(mvn_items_next(&reader, bucket.metrics.number, &item) == MVN_OK);
        if (mvn_read_metric(item, &alias, &value) == MVN_OK) {
            touch(alias);
            walk_value(&value);
        }
    }
    reader = mvn_reader_of(bucket.hits.message);
    for (size_t i = 0; i < bucket.hits.count; i++) {
        mvn_agg_hit hit;
        require(mvn_items_next(&reader, bucket.hits.number, &item) == MVN_OK);
        if (mvn_read_agg_hit(item, &hit) != MVN_OK) {
            continue;
        }
        walk_value(&hit.pk);
        mvn_reader fields = mvn_reader_of(hit.fields.message);
        for (size_t k = 0; k < hit.fields.count; k++) {
            mvn_agg_field field;
            require(mvn_items_next(&fields, hit.fields.number, &item) == MVN_OK);
            if (mvn_read_agg_hit_field(item, &field) == MVN_OK) {
                walk_value(&field.value);
            }
        }
    }
    reader = mvn_reader_of(bucket.sub_groups.message);
    for (size_t i = 0; i < bucket.sub_groups.count; i++) {
        require(mvn_items_next(&reader, bucket.sub_groups.number, &item) == MVN_OK);
        walk_bucket(item, depth - 1);
    }
}

static void walk_highlight(mvn_arena *arena, mvn_span message)
{
    mvn_span name, item = {NULL, 0};
    mvn_items datas, fragments;
    mvn_numbers scores;
    if (mvn_read_highlight(message, &name, &datas) != MVN_OK) {
        return;
    }
    touch(name);
    mvn_reader reader = mvn_reader_of(datas.message);
    for (size_t i = 0; i < datas.count; i++) {
        require(mvn_items_next(&reader, datas.number, &item) == MVN_OK);
        if (mvn_read_highlight_data(arena, item, &fragments, &scores) == MVN_OK) {
            touch_items(&fragments);
            touch(scores.span);
            require(scores.count * 4 == scores.span.size);
        }
    }
}

static void walk_search(mvn_arena *arena, mvn_span reply)
{
    mvn_search_reply found;
    mvn_error error;
    if (mvn_index_search(arena, reply, &found, &error) != MVN_OK) {
        return;
    }
    walk_status(&found.status);
    if (mvn_reply_failed(&found.status)) {
        return;
    }
    walk_columns(arena, found.columns, found.n_columns);
    touch(found.scores.span);
    touch(found.ids.numbers);
    touch_items(&found.ids.strings);
    touch(found.topks.span);
    touch_spans(&found.output_fields);
    touch(found.iterator_token);
    touch(found.recalls.span);
    touch(found.primary_field_name);
    touch(found.element_indices.span);
    for (size_t i = 0; i < found.highlights.count; i++) {
        walk_highlight(arena, found.highlights.items[i]);
    }
    for (size_t i = 0; i < found.agg_buckets.count; i++) {
        walk_bucket(found.agg_buckets.items[i], 8);
    }
}

static void walk_query(mvn_arena *arena, mvn_span reply)
{
    mvn_query_reply found;
    mvn_error error;
    if (mvn_index_query(arena, reply, &found, &error) != MVN_OK) {
        return;
    }
    walk_status(&found.status);
    if (mvn_reply_failed(&found.status)) {
        return;
    }
    walk_columns(arena, found.columns, found.n_columns);
    touch_spans(&found.output_fields);
    mvn_reader reader = mvn_reader_of(found.element_indices.message);
    mvn_span item = {NULL, 0};
    for (size_t i = 0; i < found.element_indices.count; i++) {
        mvn_numbers indices;
        require(mvn_items_next(&reader, found.element_indices.number, &item) == MVN_OK);
        if (mvn_read_element_indices(arena, item, &indices) == MVN_OK) {
            touch(indices.span);
        }
    }
}

static void walk_mutation(mvn_arena *arena, mvn_span reply)
{
    mvn_mutation_reply found;
    mvn_error error;
    if (mvn_index_mutation(arena, reply, &found, &error) != MVN_OK) {
        return;
    }
    walk_status(&found.status);
    if (!mvn_reply_failed(&found.status)) {
        touch(found.ids.numbers);
        touch_items(&found.ids.strings);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mvn_arena arena;
    if (size == 0) {
        return 0;
    }
    mvn_span reply = {data + 1, size - 1};
    mvn_arena_init(&arena);
    switch (data[0] % 3) {
    case 0:
        walk_search(&arena, reply);
        break;
    case 1:
        walk_query(&arena, reply);
        break;
    default:
        walk_mutation(&arena, reply);
        break;
    }
    mvn_arena_reset(&arena);
    return 0;
}
