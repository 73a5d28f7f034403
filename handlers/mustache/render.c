/* handlers/mustache/render.c: runs a program on values. This is on every request's path: no allocation but
 * the output's.
 *
 * Sections being repeated and bodies being called are frames on one bounded stack; values of open sections
 * are another. Blocks are looked up among the arguments of the parents being rendered, the outermost first;
 * text put in for a block sees the arguments of the place where it was written. */
#include "program.h"

#include "../json.h"

struct frame {
	uint32_t ret;     /* a call: where to go on */
	int env;          /* a call: the env to go back to */
	int args;         /* a parent's call: its arguments, or -1 */
	int outer;        /* ... and the env around it */
	uint16_t indents; /* a call: how many to go back to */
	bool section;
	json_t *list; /* a section over a list, else NULL */
	size_t next;  /* its next item */
};

struct render {
	const struct ab_mustache *t;
	json_t *const *root;
	json_t *implicit;
	struct ab_buf *buf;
	struct ab_buf text; /* compact JSON before it is escaped; allocated on first use */
	struct ab_error *err;
	unsigned steps;
	int n_frames, n_values, n_indents;
	int env;         /* the frame with the innermost arguments, or -1 */
	bool line_start; /* the next output begins a line; kept only while there are indents */
	struct frame frames[MUSTACHE_DEPTH];
	json_t *values[MUSTACHE_DEPTH]; /* of the open sections */
	struct mustache_slice indents[MUSTACHE_DEPTH];
};

/* ---- values ---- */

static bool is_truthy(const json_t *value)
{
	if (value == NULL)
		return false;
	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_REAL:
		return json_real_value(value) < 0 || json_real_value(value) > 0;
	case JSON_FALSE:
	case JSON_NULL:
		return false;
	default:
		return true;
	}
}

static json_t *look_up(const struct render *r, const struct mustache_ref *ref)
{
	json_t *value = NULL;

	if (ref->name < 0)
		return r->n_values > 0 ? r->values[r->n_values - 1] : r->implicit;
	for (int i = r->n_values; i-- > 0 && value == NULL;)
		value = json_object_getn(
		        r->values[i], ref->key.text, ref->key.len); /* NULL unless an object */
	if (value == NULL)
		value = r->root[ref->name];
	for (uint32_t i = 0; i < ref->n_steps && value != NULL; i++) {
		const struct mustache_step *step = &r->t->steps[ref->first_step + i];

		value = step->key.text != NULL ? json_object_getn(value, step->key.text, step->key.len)
		                               : json_array_get(value, step->index);
	}
	return value;
}

/* ---- output ---- */

static void write_indents(struct render *r)
{
	for (int i = 0; i < r->n_indents; i++)
		ab_buf_add(r->buf, r->indents[i].text, r->indents[i].len);
	r->line_start = false;
}

/* Literal text under an indent: in front of each line that is not empty. */
static void write_lines(struct render *r, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *to = newline != NULL ? newline + 1 : end;

		if (r->line_start && *text != '\n' && !(*text == '\r' && text + 1 == newline))
			write_indents(r);
		ab_buf_add(r->buf, text, (size_t)(to - text));
		r->line_start = newline != NULL;
		text = to;
	}
}

static void write_value(struct render *r, const json_t *value, enum ab_escape escape)
{
	if (r->n_indents > 0 && r->line_start)
		write_indents(r);
	if (value == NULL)
		return;
	switch (json_typeof(value)) {
	case JSON_STRING:
		ab_mustache_escape(r->buf, escape, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		ab_json_write_integer(r->buf, json_integer_value(value));
		break;
	case JSON_REAL:
		ab_json_write_real(r->buf, json_real_value(value));
		break;
	case JSON_TRUE:
		ab_buf_add(r->buf, "true", 4);
		break;
	case JSON_FALSE:
		ab_buf_add(r->buf, "false", 5);
		break;
	case JSON_NULL:
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		if (escape == AB_ESCAPE_NONE) {
			ab_json_write(r->buf, value);
			break;
		}
		r->text.len = 0;
		ab_json_write(&r->text, value);
		if (!r->text.failed)
			ab_mustache_escape(r->buf, escape, r->text.data, r->text.len);
		break;
	}
}

/* ---- control ---- */

static enum ab_code fail_buf(struct render *r, const struct ab_buf *buf)
{
	if (buf->too_big)
		return ab_error_set(
		        r->err, AB_EOVERLOAD, "the rendered text is larger than %zu bytes", buf->max);
	return ab_error_set(r->err, AB_ENOMEM, "out of memory while rendering");
}

/* Every turn of a loop and every call passes here, so that neither depth nor time is without bound. */
static enum ab_code count_step(struct render *r, bool deeper)
{
	if (deeper && r->n_frames == MUSTACHE_DEPTH)
		return ab_error_set(r->err, AB_EINVALID,
		        "sections and partials nest deeper than %d (a partial that includes itself without end?)",
		        MUSTACHE_DEPTH);
	if (++r->steps > MUSTACHE_STEPS)
		return ab_error_set(
		        r->err, AB_EOVERLOAD, "more than %d turns of sections and partials", MUSTACHE_STEPS);
	if (r->buf->failed)
		return fail_buf(r, r->buf);
	if (r->text.failed)
		return fail_buf(r, &r->text);
	return AB_OK;
}

/* Begin a body, or text for a block: its frame, and the indent for its lines. */
static struct frame *push_call(struct render *r, uint32_t ret, struct mustache_slice indent)
{
	struct frame *frame = &r->frames[r->n_frames++];

	*frame = (struct frame){.ret = ret, .env = r->env, .args = -1, .indents = (uint16_t)r->n_indents};
	if (indent.len > 0) {
		r->indents[r->n_indents++] = indent;
		r->line_start = true;
	}
	return frame;
}

static void push_section(struct render *r, json_t *value)
{
	struct frame *frame = &r->frames[r->n_frames++];

	frame->section = true;
	frame->list = NULL;
	if (json_is_array(value)) {
		frame->list = value;
		frame->next = 1;
		value = json_array_get(value, 0);
	}
	r->values[r->n_values++] = value;
}

/* The next item of the innermost section; false when it is over. */
static bool next_item(struct render *r)
{
	struct frame *frame = &r->frames[r->n_frames - 1];

	if (frame->list != NULL && frame->next < json_array_size(frame->list)) {
		r->values[r->n_values - 1] = json_array_get(frame->list, frame->next++);
		return true;
	}
	r->n_values--;
	r->n_frames--;
	return false;
}

/* The body a value names, or -1. Only names known when the template was compiled are ever found. */
static int find_dynamic(const struct render *r, const json_t *value)
{
	const char *name = json_string_value(value);

	for (size_t i = 0; name != NULL && i < r->t->n_dynamic; i++)
		if (strcmp(r->t->bodies[r->t->dynamic[i]].name, name) == 0)
			return r->t->dynamic[i];
	return -1;
}

/* What is put in for a block: its default, or the outermost argument for it. Returns where to go on. */
static uint32_t call_block(struct render *r, const struct mustache_instr *in, uint32_t pc)
{
	int env = r->env;

	push_call(r, in->end, in->indent);
	for (; env >= 0; env = r->frames[env].outer) {
		for (int i = r->frames[env].args; i >= 0; i = r->t->args[i].next) {
			if (r->t->args[i].block != in->a)
				continue;
			pc = r->t->args[i].pc;
			r->env = r->frames[env].outer;
		}
	}
	return pc;
}

static uint32_t call_body(struct render *r, const struct mustache_instr *in, int body, uint32_t ret)
{
	struct frame *frame = push_call(r, ret, in->indent);

	if (in->args >= 0) {
		frame->args = in->args;
		frame->outer = r->env;
		r->env = r->n_frames - 1;
	}
	return r->t->bodies[body].pc;
}

/* The end of a body or block. False at the end of the template. */
static bool pop_call(struct render *r, uint32_t *ret_pc)
{
	const struct frame *frame;

	if (r->n_frames == 0)
		return false;
	frame = &r->frames[--r->n_frames];
	r->n_indents = frame->indents;
	r->env = frame->env;
	*ret_pc = frame->ret;
	return true;
}

static enum ab_code run(struct render *r)
{
	const struct ab_mustache *t = r->t;
	uint32_t pc = t->bodies[0].pc;

	for (;;) {
		const struct mustache_instr *in = &t->code[pc++];
		const struct mustache_ref *ref;
		enum ab_code code;
		json_t *value;
		int body;

		switch (in->op) {
		case OP_TEXT:
			if (AB_LIKELY(r->n_indents == 0))
				ab_buf_add(r->buf, t->literals + in->a, in->end);
			else
				write_lines(r, t->literals + in->a, in->end);
			break;
		case OP_VALUE:
			write_value(r, look_up(r, &t->refs[in->a]), t->escape);
			break;
		case OP_RAW:
			write_value(r, look_up(r, &t->refs[in->a]), AB_ESCAPE_NONE);
			break;
		case OP_SECTION:
			value = look_up(r, &t->refs[in->a]);
			if (!is_truthy(value)) {
				pc = in->end;
				break;
			}
			code = count_step(r, true);
			if (code != AB_OK)
				return code;
			push_section(r, value);
			break;
		case OP_END:
			code = count_step(r, false);
			if (code != AB_OK)
				return code;
			if (next_item(r))
				pc = in->a + 1;
			break;
		case OP_INVERTED:
			if (is_truthy(look_up(r, &t->refs[in->a])))
				pc = in->end;
			break;
		case OP_PARTIAL:
		case OP_DYNAMIC:
		case OP_PARENT:
		case OP_DYNAMIC_PARENT:
			ref = in->op == OP_DYNAMIC || in->op == OP_DYNAMIC_PARENT ? &t->refs[in->a] : NULL;
			body = ref != NULL ? find_dynamic(r, look_up(r, ref)) : (int)in->a;
			if (in->end != 0)
				pc = in->end; /* behind the arguments */
			if (body < 0)
				break;
			code = count_step(r, true);
			if (code != AB_OK)
				return code;
			pc = call_body(r, in, body, pc);
			break;
		case OP_BLOCK:
			code = count_step(r, true);
			if (code != AB_OK)
				return code;
			pc = call_block(r, in, pc);
			break;
		case OP_RETURN:
			if (!pop_call(r, &pc))
				return AB_OK;
			break;
		}
	}
}

enum ab_code ab_mustache_render(const struct ab_mustache *template, json_t *const *root, json_t *implicit,
        struct ab_buf *buf, struct ab_error *err)
{
	struct render r; /* its stacks are filled as they grow */
	enum ab_code code;

	r.t = template;
	r.root = root;
	r.implicit = implicit;
	r.buf = buf;
	r.err = err;
	r.steps = 0;
	r.n_frames = r.n_values = r.n_indents = 0;
	r.env = -1;
	r.line_start = false;
	ab_buf_init(&r.text, buf->max);
	code = run(&r);
	if (code == AB_OK && buf->failed)
		code = fail_buf(&r, buf);
	if (code == AB_OK && r.text.failed)
		code = fail_buf(&r, &r.text);
	ab_buf_fini(&r.text);
	return code;
}

enum ab_code ab_mustache_render_data(
        const struct ab_mustache *template, json_t *data, struct ab_buf *buf, struct ab_error *err)
{
	size_t count = template->n_names;
	json_t **root = calloc(count + 1, sizeof(json_t *));
	enum ab_code code;

	if (root == NULL)
		return ab_error_set(err, AB_ENOMEM, "out of memory while rendering");
	for (size_t i = 0; i < count; i++)
		root[i] = json_object_getn(data, template->names[i].text, template->names[i].len);
	code = ab_mustache_render(template, root, data, buf, err);
	free(root);
	return code;
}
