// The template's router in C: asks every expert at once whether the query is its own; the surest
// answers. `router_plugin.{h,c}` are what `wit-bindgen c` makes of the contract.

#include <stdlib.h>
#include <string.h>

#include "router_plugin.h"

typedef exports_cadre_policy_router_batch_t batch_t;
typedef exports_cadre_policy_router_claims_t claims_t;
typedef exports_cadre_policy_router_step_t step_t;

// Written once by `open`.
static float threshold = 0.5f;
static uint32_t experts = 0;

// `wit-bindgen c` would link an object file with the contract in it; `cadre plugin build` puts the
// contract there itself.
void __component_type_object_force_link_router_plugin(void) {}

void exports_cadre_policy_router_describe(exports_cadre_policy_router_description_t *ret) {
  // Copies: whoever called frees them.
  router_plugin_string_dup(&ret->name, "surest-c");
  router_plugin_string_dup(&ret->version, "0.1.0");
  router_plugin_string_dup(&ret->summary, "asks all experts at once and takes the surest");
  router_plugin_string_dup(&ret->reference, "");
}

static const char *skip_blanks(const char *at) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
  return at;
}

// Reads `{}` or `{"threshold": 0.7}`; anything else is a mistake in the recipe.
static const char *read_settings(const char *at) {
  static const char key[] = "\"threshold\"";
  at = skip_blanks(at);
  if (*at == '\0') return NULL;
  if (*at++ != '{') return "expected a table";
  at = skip_blanks(at);
  if (*at == '}') return NULL;
  if (strncmp(at, key, sizeof key - 1) != 0) return "unknown key, expected `threshold`";
  at = skip_blanks(at + sizeof key - 1);
  if (*at++ != ':') return "expected a table";
  char *end;
  threshold = strtof(at, &end);
  if (end == at || !(threshold >= 0.0f && threshold <= 1.0f))
    return "`threshold`: expected a number in 0..=1";
  at = skip_blanks(end);
  if (*at == ',') return "unknown key, expected `threshold` alone";
  return *at == '}' ? NULL : "`threshold`: expected a number in 0..=1";
}

bool exports_cadre_policy_router_open(router_plugin_string_t *settings,
                                      exports_cadre_policy_router_list_expert_card_t *cards,
                                      router_plugin_string_t *err) {
  char *text = malloc(settings->len + 1);
  memcpy(text, settings->ptr, settings->len);
  text[settings->len] = '\0';
  const char *mistake = read_settings(text);
  free(text);
  experts = (uint32_t)cards->len;
  router_plugin_string_free(settings);
  exports_cadre_policy_router_list_expert_card_free(cards);
  if (mistake != NULL) {
    router_plugin_string_dup(err, mistake);
    return false;
  }
  return true;
}

// Asks every expert for its claim.
static step_t ask_all(void) {
  step_t step = {.tag = EXPORTS_CADRE_POLICY_ROUTER_STEP_ASK};
  step.val.ask.len = experts;
  step.val.ask.ptr = calloc(experts, sizeof *step.val.ask.ptr);
  for (uint32_t expert = 0; expert < experts; expert++) {
    step.val.ask.ptr[expert].tag = EXPORTS_CADRE_POLICY_ROUTER_PROBE_CLAIM;
    step.val.ask.ptr[expert].val.claim = expert;
  }
  return step;
}

// The step for one query, by the claims in rows `from` to `to`.
static step_t choose(const claims_t *claims, size_t from, size_t to) {
  step_t step = {.tag = EXPORTS_CADRE_POLICY_ROUTER_STEP_BACKBONE};
  float surest = -1.0f;
  for (size_t row = from; row < to; row++) {
    if (claims->accept.ptr[row] >= surest) {
      surest = claims->accept.ptr[row];
      step.val.choose = claims->experts.ptr[row];
    }
  }
  if (surest >= threshold) step.tag = EXPORTS_CADRE_POLICY_ROUTER_STEP_CHOOSE;
  return step;
}

bool exports_cadre_policy_router_route(batch_t *batch, exports_cadre_policy_router_list_step_t *ret,
                                       router_plugin_string_t *err) {
  (void)err;
  ret->len = batch->ids.len;
  ret->ptr = calloc(batch->ids.len, sizeof *ret->ptr);
  const claims_t *claims = &batch->claims;
  size_t row = 0;
  for (size_t place = 0; place < batch->ids.len; place++) {
    // The rows about a place follow those about the place before.
    size_t from = row;
    while (row < claims->places.len && claims->places.ptr[row] == place) row++;
    // The first time nothing is known: ask. The next time the claims are there.
    ret->ptr[place] = row == from && experts > 0 ? ask_all() : choose(claims, from, row);
  }
  exports_cadre_policy_router_batch_free(batch);
  return true;
}
