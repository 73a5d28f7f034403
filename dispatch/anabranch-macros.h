/* dispatch/anabranch-macros.h: how RESOURCE(name, needs...) becomes a function with typed parameters, and an
 * entry in a list that the linker makes. Part of <anabranch.h>; nothing here is to be used directly.
 *
 * Each definition puts a pointer to its description into the section anabranch_functions. The linker gathers
 * the sections of all files of one program or module and names both ends; the names are hidden, so each
 * module sees its own list, whatever else is loaded. Nothing runs at load. */
#ifndef ANABRANCH_MACROS_H
#define ANABRANCH_MACROS_H

#if defined(_MSC_VER) || defined(__APPLE__)
#error "anabranch.h needs gcc or clang, and ELF objects"
#endif

#ifdef __has_attribute
#if __has_attribute(retain) /* or the linker may drop a section that only its ends name */
#define ANABRANCH_LISTED_ __attribute__((used, retain, section("anabranch_functions")))
#endif
#endif
#ifndef ANABRANCH_LISTED_
#define ANABRANCH_LISTED_ __attribute__((used, section("anabranch_functions")))
#endif

#ifdef __cplusplus
#define ANABRANCH_ASSERT_ static_assert
#else
#define ANABRANCH_ASSERT_ _Static_assert
#endif

#define ANABRANCH_CAT_(a, b) ANABRANCH_CAT2_(a, b)
#define ANABRANCH_CAT2_(a, b) a##b

/* How many needs stand behind the name: 0 to 8, or MANY. */
#define ANABRANCH_COUNT_(...)                                                                                \
	ANABRANCH_COUNT2_(__VA_ARGS__, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY,     \
	        MANY, MANY, MANY, MANY, MANY, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)
#define ANABRANCH_COUNT2_(                                                                                   \
        name, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, count, ...)            \
	count

/* A name is an identifier, or (identifier, "the name outside C"). */
#define ANABRANCH_IS_PAIR_(x) ANABRANCH_SECOND_(ANABRANCH_PROBE_ x, 0, 0)
#define ANABRANCH_PROBE_(...) ~, 1
#define ANABRANCH_SECOND_(...) ANABRANCH_SECOND2_(__VA_ARGS__)
#define ANABRANCH_SECOND2_(a, b, ...) b
#define ANABRANCH_ID_(x) ANABRANCH_CAT_(ANABRANCH_ID_, ANABRANCH_IS_PAIR_(x))(x)
#define ANABRANCH_ID_0(x) x
#define ANABRANCH_ID_1(x) ANABRANCH_FIRST_ x
#define ANABRANCH_FIRST_(identifier, name) identifier
#define ANABRANCH_NAME_(x) ANABRANCH_CAT_(ANABRANCH_NAME_, ANABRANCH_IS_PAIR_(x))(x)
#define ANABRANCH_NAME_0(x) #x
#define ANABRANCH_NAME_1(x) ANABRANCH_LAST_ x
#define ANABRANCH_LAST_(identifier, name) name
#define ANABRANCH_HEAD_(...) ANABRANCH_HEAD2_(__VA_ARGS__, 0)
#define ANABRANCH_HEAD2_(name, ...) name

/* The parameters of the function behind the first. */
#define ANABRANCH_P_(x) const json_t *ANABRANCH_ID_(x)
#define ANABRANCH_P_0(n)
#define ANABRANCH_P_1(n, a) , ANABRANCH_P_(a)
#define ANABRANCH_P_2(n, a, b) , ANABRANCH_P_(a), ANABRANCH_P_(b)
#define ANABRANCH_P_3(n, a, b, c) ANABRANCH_P_2(n, a, b), ANABRANCH_P_(c)
#define ANABRANCH_P_4(n, a, b, c, d) ANABRANCH_P_3(n, a, b, c), ANABRANCH_P_(d)
#define ANABRANCH_P_5(n, a, b, c, d, e) ANABRANCH_P_4(n, a, b, c, d), ANABRANCH_P_(e)
#define ANABRANCH_P_6(n, a, b, c, d, e, f) ANABRANCH_P_5(n, a, b, c, d, e), ANABRANCH_P_(f)
#define ANABRANCH_P_7(n, a, b, c, d, e, f, g) ANABRANCH_P_6(n, a, b, c, d, e, f), ANABRANCH_P_(g)
#define ANABRANCH_P_8(n, a, b, c, d, e, f, g, h) ANABRANCH_P_7(n, a, b, c, d, e, f, g), ANABRANCH_P_(h)
#define ANABRANCH_P_MANY(...)

/* The names of the needs. */
#define ANABRANCH_N_(x) ANABRANCH_NAME_(x),
#define ANABRANCH_N_0(n)
#define ANABRANCH_N_1(n, a) ANABRANCH_N_(a)
#define ANABRANCH_N_2(n, a, b) ANABRANCH_N_(a) ANABRANCH_N_(b)
#define ANABRANCH_N_3(n, a, b, c) ANABRANCH_N_2(n, a, b) ANABRANCH_N_(c)
#define ANABRANCH_N_4(n, a, b, c, d) ANABRANCH_N_3(n, a, b, c) ANABRANCH_N_(d)
#define ANABRANCH_N_5(n, a, b, c, d, e) ANABRANCH_N_4(n, a, b, c, d) ANABRANCH_N_(e)
#define ANABRANCH_N_6(n, a, b, c, d, e, f) ANABRANCH_N_5(n, a, b, c, d, e) ANABRANCH_N_(f)
#define ANABRANCH_N_7(n, a, b, c, d, e, f, g) ANABRANCH_N_6(n, a, b, c, d, e, f) ANABRANCH_N_(g)
#define ANABRANCH_N_8(n, a, b, c, d, e, f, g, h) ANABRANCH_N_7(n, a, b, c, d, e, f, g) ANABRANCH_N_(h)
#define ANABRANCH_N_MANY(...)

/* The values handed over for the parameters. */
#define ANABRANCH_A_0
#define ANABRANCH_A_1 , call_->needs[0]
#define ANABRANCH_A_2 ANABRANCH_A_1, call_->needs[1]
#define ANABRANCH_A_3 ANABRANCH_A_2, call_->needs[2]
#define ANABRANCH_A_4 ANABRANCH_A_3, call_->needs[3]
#define ANABRANCH_A_5 ANABRANCH_A_4, call_->needs[4]
#define ANABRANCH_A_6 ANABRANCH_A_5, call_->needs[5]
#define ANABRANCH_A_7 ANABRANCH_A_6, call_->needs[6]
#define ANABRANCH_A_8 ANABRANCH_A_7, call_->needs[7]
#define ANABRANCH_A_MANY

#define ANABRANCH_LIMIT_0 1
#define ANABRANCH_LIMIT_1 1
#define ANABRANCH_LIMIT_2 1
#define ANABRANCH_LIMIT_3 1
#define ANABRANCH_LIMIT_4 1
#define ANABRANCH_LIMIT_5 1
#define ANABRANCH_LIMIT_6 1
#define ANABRANCH_LIMIT_7 1
#define ANABRANCH_LIMIT_8 1
#define ANABRANCH_LIMIT_MANY 0
#define ANABRANCH_SIZE_0 0
#define ANABRANCH_SIZE_1 1
#define ANABRANCH_SIZE_2 2
#define ANABRANCH_SIZE_3 3
#define ANABRANCH_SIZE_4 4
#define ANABRANCH_SIZE_5 5
#define ANABRANCH_SIZE_6 6
#define ANABRANCH_SIZE_7 7
#define ANABRANCH_SIZE_8 8
#define ANABRANCH_SIZE_MANY 0

/* `list`: LISTED or ALONE. */
#define ANABRANCH_DEFINE_(how, list, ...)                                                                    \
	ANABRANCH_DEFINE2_(                                                                                  \
	        how, list, ANABRANCH_COUNT_(__VA_ARGS__), ANABRANCH_HEAD_(__VA_ARGS__), __VA_ARGS__)
#define ANABRANCH_DEFINE2_(how, list, n, name, ...)                                                          \
	ANABRANCH_BUILD_(how, list, ANABRANCH_ID_(name), ANABRANCH_NAME_(name),                              \
	        ANABRANCH_CAT_(ANABRANCH_LIMIT_, n), ANABRANCH_CAT_(ANABRANCH_SIZE_, n),                     \
	        (struct anabranch_call * call __attribute__((unused))                                        \
	                                 ANABRANCH_CAT_(ANABRANCH_P_, n)(__VA_ARGS__)),                      \
	        (call_ ANABRANCH_CAT_(ANABRANCH_A_, n)), ANABRANCH_CAT_(ANABRANCH_N_, n)(__VA_ARGS__))
#define ANABRANCH_BUILD_(how, list, id, name, limit, size, params, args, ...)                                \
	ANABRANCH_BUILD2_(how, list, id, name, limit, size, params, args, __VA_ARGS__)
#define ANABRANCH_BUILD2_(how, list, id, name, limit, size, params, args, ...)                               \
	ANABRANCH_ASSERT_(                                                                                   \
	        limit, "a resource has at most eight needs; give it a resource that gathers some");          \
	static struct anabranch_result resource_##id params;                                                 \
	static struct anabranch_result anabranch_start_##id(struct anabranch_call *call_)                    \
	{                                                                                                    \
		return resource_##id args;                                                                   \
	}                                                                                                    \
	static const char *const anabranch_needs_##id[] = {__VA_ARGS__ NULL};                                \
	static const struct anabranch_function function_##id __attribute__((unused)) = {                     \
	        name, anabranch_needs_##id, size, how, anabranch_start_##id, NULL, __FILE__, __LINE__};      \
	ANABRANCH_##list##_(id) static struct anabranch_result resource_##id params

#define ANABRANCH_ALONE_(id)
#define ANABRANCH_LIST_(id)                                                                                  \
	static const struct anabranch_function *const anabranch_entry_##id ANABRANCH_LISTED_ = &function_##id;

/* CALLS(name, given...) */
#define ANABRANCH_ANNOUNCE_(...)                                                                             \
	ANABRANCH_ANNOUNCE2_(ANABRANCH_COUNT_(__VA_ARGS__), ANABRANCH_HEAD_(__VA_ARGS__), __VA_ARGS__)
#define ANABRANCH_ANNOUNCE2_(n, name, ...)                                                                   \
	ANABRANCH_ANNOUNCE3_(ANABRANCH_ID_(name), ANABRANCH_NAME_(name),                                     \
	        ANABRANCH_CAT_(ANABRANCH_LIMIT_, n), ANABRANCH_CAT_(ANABRANCH_SIZE_, n),                     \
	        ANABRANCH_CAT_(ANABRANCH_N_, n)(__VA_ARGS__))
#define ANABRANCH_ANNOUNCE3_(id, name, limit, size, ...)                                                     \
	ANABRANCH_ANNOUNCE4_(id, name, limit, size, __VA_ARGS__)
#define ANABRANCH_ANNOUNCE4_(id, name, limit, size, ...)                                                     \
	ANABRANCH_ASSERT_(limit, "at most eight names can be given");                                        \
	static const char *const anabranch_givens_##id[] = {__VA_ARGS__ NULL};                               \
	static const struct anabranch_function anabranch_callee_##id = {                                     \
	        name, anabranch_givens_##id, size, ANABRANCH_CALLS, NULL, NULL, __FILE__, __LINE__};         \
	static const struct anabranch_function *const anabranch_called_##id ANABRANCH_LISTED_ =              \
	        &anabranch_callee_##id

#endif
