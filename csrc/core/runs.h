/* Fields that occur several times in one message, brought into one run of bytes.
 *
 * Protobuf lets a sub-message, and the packed form of a repeated number, come in pieces that the
 * reader joins; one piece is what every real writer sends. So one piece is kept where it lies, and
 * more are copied together into the arena. Nothing here reads outside the pieces, and all
 * memory taken is bounded by a small multiple of the bytes that are really there. */
#ifndef MVN_CORE_RUNS_H
#define MVN_CORE_RUNS_H

#include "arena.h"
#include "wire_reader.h"

/* All zero is an empty run. */
typedef struct {
    mvn_span span; /* the joined bytes; in the message or in the arena */
    size_t room;   /* bytes of the arena block behind span, 0 while span lies in the message */
} mvn_run;

/* Puts `piece` behind what the run has. MVN_OK or MVN_ENOMEM. */
MVN_MUST_CHECK mvn_status mvn_run_add(mvn_arena *arena, mvn_run *run, mvn_span piece);

/* Takes one occurrence of a repeated number whose tag (of wire type `seen`) was just read: a packed
 * chunk, or a single value of wire type `element`. `seen` must be MVN_WIRE_BYTES or `element`. */
MVN_MUST_CHECK mvn_status mvn_run_read_numbers(mvn_arena *arena, mvn_run *run, mvn_reader *reader,
                                               mvn_wire_type seen, mvn_wire_type element);

/* The values of a repeated number, packed. */
typedef struct {
    mvn_span span;
    size_t count;
} mvn_numbers;

/* Counts the values of a run that mvn_run_read_numbers filled. */
MVN_MUST_CHECK mvn_status mvn_run_numbers(const mvn_run *run, mvn_wire_type element,
                                          mvn_numbers *numbers);

/* Field 1 of a message that has nothing else: LongArray, FloatArray and their like. */
MVN_MUST_CHECK mvn_status mvn_read_number_array(mvn_arena *arena, mvn_span message,
                                                mvn_wire_type element, mvn_numbers *numbers);

/* Booleans, one byte each; a byte that is not 0 is true. */
typedef struct {
    const uint8_t *data;
    size_t count;
} mvn_bits;

/* The values of a run of bools; copied only if some writer used long varints for them. */
MVN_MUST_CHECK mvn_status mvn_run_bits(mvn_arena *arena, const mvn_run *run, mvn_bits *bits);

/* A repeated length-delimited field, left where it is: `count` occurrences of field `number` in
 * `message`. */
typedef struct {
    mvn_span message;
    uint32_t number;
    size_t count;
} mvn_items;

/* Checks the message's framing and counts. */
MVN_MUST_CHECK mvn_status mvn_items_in(mvn_span message, uint32_t number, mvn_items *items);

/* The next item of a cursor over items->message. MVN_ETRUNCATED when there is none left, which a
 * caller that counts does not meet. */
MVN_MUST_CHECK mvn_status mvn_items_next(mvn_reader *reader, uint32_t number, mvn_span *item);

/* One entry of a map from string to string, or to messages: {1: key, 2: value}; absent parts are
 * empty. */
MVN_MUST_CHECK mvn_status mvn_read_map_entry(mvn_span entry, mvn_span *key, mvn_span *value);

/* A growing list of spans in an arena. All zero is an empty list. */
typedef struct {
    mvn_span *items;
    size_t count;
    size_t room;
} mvn_spans;

MVN_MUST_CHECK mvn_status mvn_spans_add(mvn_arena *arena, mvn_spans *spans, mvn_span span);

#endif
