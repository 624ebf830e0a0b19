/* Fibers: flows of control in one thread, each with a stack of its own. The switch is assembly on x86-64,
 * ucontext elsewhere; the address and thread sanitizers are told of every switch. */
#ifndef SHIM_FIBER_H
#define SHIM_FIBER_H

#include <stddef.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif

/* Where a flow of control stands while another runs. */
struct shim_place {
#ifdef __x86_64__
  void *stack_pointer;
#else
  ucontext_t context;
#endif
  void *memory; /* of the stack, `whole` bytes; null for the thread's own */
  size_t whole;
  void *fake_stack, *tsan;
  const void *bottom;
  size_t size;
};

/* Run from here on in `to`; returns when somebody switches back to `from`. */
void shim_place_switch(shim_place *from, shim_place *to);
/* A new flow that starts in main(), which never returns. Call shim_place_enter(back) first in main: `back`
 * is the flow that switched there. */
void shim_place_create(shim_place *place, void (*main)(void));
void shim_place_enter(shim_place *back);
void shim_place_destroy(shim_place *place);

/* What happens before shim_order_give(token) happens before the next shim_order_take(token), for the thread
 * sanitizer: switching fibers alone orders nothing, so that a missing barrier shows as a race. */
void shim_order_give(void *token);
void shim_order_take(void *token);

#endif
