#include "state.h"

int PyMvn_State_Init(PyMvn_State *state)
{
#define MVN_INTERN(member, text)                                                                  \
    state->member = PyUnicode_InternFromString(text);                                             \
    if (state->member == NULL) {                                                                  \
        return -1;                                                                                \
    }
    MVN_INTERN(str_id, "id")
    MVN_INTERN(str_distance, "distance")
    MVN_INTERN(str_entity, "entity")
    MVN_INTERN(str_offset, "offset")
    MVN_INTERN(str_highlight, "highlight")
    MVN_INTERN(str_meta, "$meta")
    MVN_INTERN(str_ids, "ids")
    MVN_INTERN(str_distances, "distances")
    MVN_INTERN(str_start, "start")
    MVN_INTERN(str_dynamic_fields, "dynamic_fields")
    MVN_INTERN(str_extra, "extra")
    MVN_INTERN(str_recalls, "recalls")
    MVN_INTERN(str_agg_buckets, "agg_buckets")
    MVN_INTERN(str_session_ts, "_session_ts")
    MVN_INTERN(str_search_iterator, "_search_iterator_v2_results")
    MVN_INTERN(str_fragments, "fragments")
    MVN_INTERN(str_scores, "scores")
#undef MVN_INTERN
    state->empty_tuple = PyTuple_New(0);
    return state->empty_tuple == NULL ? -1 : 0;
}
