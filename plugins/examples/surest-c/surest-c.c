// The template's router in C: asks every expert at once whether the query is its own; the surest
// answers. `router_plugin.{h,c}` are what `wit-bindgen c` makes of the contract.

#include <stdlib.h>
#include <string.h>

#include "router_plugin.h"

typedef exports_cadre_policy_router_evidence_t evidence_t;
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

// The step for one query.
static step_t route_one(const evidence_t *evidence) {
  step_t step = {.tag = EXPORTS_CADRE_POLICY_ROUTER_STEP_BACKBONE};
  // The first time nothing is known: ask. The next time the answers stand in the evidence.
  if (evidence->observations.len == 0 && experts > 0) {
    step.tag = EXPORTS_CADRE_POLICY_ROUTER_STEP_ASK;
    step.val.ask.len = experts;
    step.val.ask.ptr = calloc(experts, sizeof *step.val.ask.ptr);
    for (uint32_t expert = 0; expert < experts; expert++) {
      step.val.ask.ptr[expert].tag = EXPORTS_CADRE_POLICY_ROUTER_PROBE_CLAIM;
      step.val.ask.ptr[expert].val.claim = expert;
    }
    return step;
  }
  float surest = -1.0f;
  for (size_t place = 0; place < evidence->observations.len; place++) {
    const exports_cadre_policy_router_observation_t *seen = &evidence->observations.ptr[place];
    if (seen->finding.tag == EXPORTS_CADRE_POLICY_ROUTER_FINDING_CLAIM &&
        seen->finding.val.claim.accept >= surest) {
      surest = seen->finding.val.claim.accept;
      step.val.choose = seen->probe.val.claim;
    }
  }
  if (surest >= threshold) step.tag = EXPORTS_CADRE_POLICY_ROUTER_STEP_CHOOSE;
  return step;
}

bool exports_cadre_policy_router_route(exports_cadre_policy_router_list_evidence_t *batch,
                                       exports_cadre_policy_router_list_step_t *ret,
                                       router_plugin_string_t *err) {
  (void)err;
  ret->len = batch->len;
  ret->ptr = calloc(batch->len, sizeof *ret->ptr);
  for (size_t place = 0; place < batch->len; place++)
    ret->ptr[place] = route_one(&batch->ptr[place]);
  exports_cadre_policy_router_list_evidence_free(batch);
  return true;
}
