// The template's gate in C: a softmax router over the experts of a site. `methods.{h,c}` are what `wit-bindgen c` makes of
// the contract.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "methods.h"

typedef cadre_method_tensors_operation_t operation_t;
typedef exports_cadre_method_hooks_tensor_t tensor_t;
typedef exports_cadre_method_hooks_list_named_t named_t;

// `wit-bindgen c` would link an object file with the contract in it; `cadre plugin build` puts the contract there itself.
void __component_type_object_force_link_methods(void) {}

// Applies an operation that has one result. On an error, `err` gets the host's text: the operation, the shapes, and what
// does not fit.
static bool apply(operation_t operation, tensor_t *args, size_t count, tensor_t *result, methods_string_t *err) {
  cadre_method_tensors_list_tensor_t list = {.ptr = args, .len = count};
  cadre_method_tensors_list_tensor_t results;
  if (!cadre_method_tensors_apply(&operation, &list, &results, err)) return false;
  *result = results.ptr[0];
  cadre_method_tensors_list_tensor_free(&results);
  return true;
}

static bool find(const named_t *all, const char *name, tensor_t *found, methods_string_t *err) {
  for (size_t at = 0; at < all->len; at++) {
    const methods_string_t *own = &all->ptr[at].name;
    if (own->len == strlen(name) && memcmp(own->ptr, name, own->len) == 0) {
      *found = all->ptr[at].value;
      return true;
    }
  }
  methods_string_dup(err, "the parameter is missing");
  return false;
}

// The settings are complete and checked against `policies.toml`: one object with one number, `{"temperature":1.0}`.
static double temperature_of(const methods_string_t *settings) {
  char *text = calloc(settings->len + 1, 1);
  memcpy(text, settings->ptr, settings->len);
  const char *colon = strchr(text, ':');
  double temperature = colon == NULL ? 1.0 : strtod(colon + 1, NULL);
  free(text);
  return temperature;
}

// What is trained at a site: one matrix.
bool exports_cadre_method_hooks_parameters(methods_string_t *policy, methods_string_t *settings,
                                           exports_cadre_method_hooks_site_t *at,
                                           exports_cadre_method_hooks_list_parameter_t *ret,
                                           methods_string_t *err) {
  (void)policy, (void)settings, (void)err;
  exports_cadre_method_hooks_parameter_t *router = calloc(1, sizeof *router);
  methods_string_dup(&router->name, "router");
  router->shape.len = 2;
  router->shape.ptr = malloc(2 * sizeof *router->shape.ptr);
  router->shape.ptr[0] = at->input;
  router->shape.ptr[1] = at->experts;
  router->init.tag = EXPORTS_CADRE_METHOD_HOOKS_INIT_UNIFORM;
  router->init.val.uniform = 1.0 / sqrt(at->input);
  router->trained = true;
  router->scope = EXPORTS_CADRE_METHOD_HOOKS_SCOPE_SITE;
  router->owner = EXPORTS_CADRE_METHOD_HOOKS_OWNER_POLICY;
  ret->ptr = router;
  ret->len = 1;
  return true;
}

// Weights `[tokens, experts]`: softmax(x · router / temperature). Arguments are not freed: an instance answers one call.
bool exports_cadre_method_hooks_gate(methods_string_t *policy, methods_string_t *settings,
                                     exports_cadre_method_hooks_site_t *at, tensor_t x, tensor_t base_out,
                                     exports_cadre_method_hooks_list_expert_t *experts, named_t *parameters,
                                     exports_cadre_method_hooks_context_t *context,
                                     exports_cadre_method_hooks_gated_t *ret, methods_string_t *err) {
  (void)policy, (void)at, (void)base_out, (void)experts, (void)context;
  tensor_t router, scores, scaled, weights;
  if (!find(parameters, "router", &router, err)) return false;
  operation_t matmul = {.tag = CADRE_METHOD_TENSORS_OPERATION_MATMUL};
  if (!apply(matmul, (tensor_t[]){x, router}, 2, &scores, err)) return false;
  operation_t divide = {.tag = CADRE_METHOD_TENSORS_OPERATION_SCALAR};
  divide.val.scalar.f0 = CADRE_METHOD_TENSORS_BINARY_OP_DIV;
  divide.val.scalar.f1 = temperature_of(settings);
  if (!apply(divide, &scores, 1, &scaled, err)) return false;
  operation_t softmax = {.tag = CADRE_METHOD_TENSORS_OPERATION_SOFTMAX, .val.softmax = 1};
  if (!apply(softmax, &scaled, 1, &weights, err)) return false;
  memset(ret, 0, sizeof *ret);
  ret->weights.is_some = true;
  ret->weights.val = weights;
  return true;
}

// A component exports all hooks; those that no policy declares are never called.
#define ABSENT(HOOK, ...)                                              \
  bool exports_cadre_method_hooks_##HOOK(__VA_ARGS__) {                \
    methods_string_dup(err, "this policy has no hook `" #HOOK "`");    \
    return false;                                                      \
  }
#define POLICY methods_string_t *policy __attribute__((unused)), methods_string_t *settings __attribute__((unused))
#define IN(TYPE, NAME) TYPE NAME __attribute__((unused))
#define NAMED(NAME) IN(named_t *, NAME)
#define TENSOR(NAME) IN(tensor_t, NAME)
#define OUT(TYPE) IN(exports_cadre_method_hooks_##TYPE##_t *, ret), methods_string_t *err

ABSENT(plan, POLICY, TENSOR(hidden), IN(uint32_t, sites), IN(uint32_t, experts), NAMED(parameters),
       IN(exports_cadre_method_hooks_context_t *, context), OUT(list_named))
ABSENT(term, POLICY, NAMED(trained), IN(exports_cadre_method_hooks_list_expert_t *, earlier), NAMED(buffers),
       OUT(option_tensor))
ABSENT(gradient, POLICY, TENSOR(weight), TENSOR(gradient), NAMED(buffers), OUT(tensor))
ABSENT(after_step, POLICY, TENSOR(before), TENSOR(after), TENSOR(gradient), NAMED(buffers), OUT(stepped))
ABSENT(observe, POLICY, TENSOR(weight), TENSOR(gradient), NAMED(buffers), OUT(list_named))
ABSENT(finish, POLICY, IN(exports_cadre_method_hooks_site_t *, at), TENSOR(weight),
       IN(exports_cadre_method_hooks_expert_t *, expert), OUT(list_named))
ABSENT(transform, POLICY, NAMED(tensors), OUT(list_named))
ABSENT(merge, POLICY, TENSOR(base), IN(exports_cadre_method_hooks_list_model_t *, models), OUT(tensor))
ABSENT(streams, POLICY, OUT(list_logit_stream))
ABSENT(decode, POLICY, NAMED(logits), OUT(tensor))
ABSENT(schedule, POLICY, IN(methods_list_string_t *, tasks), IN(exports_cadre_method_hooks_shape_t *, model_shape),
       IN(uint64_t, seed), OUT(list_list_directive))
ABSENT(play_case, POLICY, IN(exports_cadre_method_hooks_list_case_array_t *, inputs), OUT(case_result))
