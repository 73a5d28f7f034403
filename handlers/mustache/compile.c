/* handlers/mustache/compile.c: from tokens to the flat program, body after body.
 *
 * A partial is a body of its own, compiled once however often it is included, itself included: including it
 * is a call. Literal text of all bodies is gathered in one pool, neighbours merged. */
#include "program.h"

enum { MAX_TEXT = 8 << 20 };

void ab_mustache_mistake(struct mustache_compiler *c, struct ab_pos pos, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ab_diag(c->diags, pos, "%s", text);
	c->failed = true;
}

void *ab_mustache_grow(struct mustache_compiler *c, void *items, size_t count, size_t *size, size_t item)
{
	size_t more = *size == 0 ? 16 : *size * 2;
	void *grown;

	if (count < *size)
		return items;
	grown = realloc(items, more * item);
	if (grown == NULL) {
		c->failed = c->no_memory = true;
		return NULL;
	}
	*size = more;
	return grown;
}

/* ---- bodies ---- */

static void body_fini(struct mustache_body *body)
{
	free(body->name);
	free(body->file);
	free(body->text);
}

/* Take `text` as a new body. Returns its index, or -1 without memory. */
static int body_add(struct mustache_compiler *c, const char *name, size_t name_len, char *text, size_t len,
        struct ab_pos start, const struct ab_conf *conf)
{
	struct ab_mustache *t = c->out;
	struct mustache_body *bodies =
	        ab_mustache_grow(c, t->bodies, t->n_bodies, &t->bodies_size, sizeof(*bodies));
	struct mustache_body body = {.text = text, .len = len, .start = start, .conf = conf};

	if (bodies != NULL) {
		t->bodies = bodies;
		body.file = strdup(start.file != NULL ? start.file : "");
		body.name = name != NULL ? strndup(name, name_len) : NULL;
	}
	if (body.file == NULL || (name != NULL && body.name == NULL)) {
		body_fini(&body);
		c->failed = c->no_memory = true;
		return -1;
	}
	body.start.file = body.file;
	t->bodies[t->n_bodies] = body;
	return (int)t->n_bodies++;
}

static int body_load(struct mustache_compiler *c, const char *name, struct ab_pos pos)
{
	const char *file = name, *why = NULL;
	char *text;
	size_t len = 0;

	if (c->loader == NULL) {
		ab_mustache_mistake(c, pos,
		        "partial '%s' in an inline text; partials are files beside a template file", name);
		return -1;
	}
	text = c->loader->load(c->loader->arg, name, &len, &file, &why);
	if (text == NULL && c->loader->missing_is_empty)
		text = calloc(1, 1);
	if (text == NULL) {
		ab_mustache_mistake(
		        c, pos, "no partial '%s'%s%s", name, why != NULL ? ": " : "", why != NULL ? why : "");
		return -1;
	}
	if (c->out->n_bodies >= MUSTACHE_BODIES || len > MAX_TEXT) {
		free(text);
		ab_mustache_mistake(c, pos,
		        "partial '%s': a template has at most %d partials of at most %d bytes", name,
		        MUSTACHE_BODIES, MAX_TEXT);
		return -1;
	}
	return body_add(c, name, strlen(name), text, len, (struct ab_pos){file, 1, 1}, NULL);
}

/* The body for a partial's name, loaded when new; -1 after a mistake. */
static int partial_body(struct mustache_compiler *c, struct mustache_slice name, struct ab_pos pos)
{
	char *copy;
	int body;

	for (size_t i = 0; i < c->out->n_bodies; i++) {
		const char *known = c->out->bodies[i].name;

		if (known != NULL && strlen(known) == name.len && memcmp(known, name.text, name.len) == 0)
			return (int)i;
	}
	copy = strndup(name.text, name.len);
	if (copy == NULL) {
		c->failed = c->no_memory = true;
		return -1;
	}
	body = body_load(c, copy, pos);
	free(copy);
	return body;
}

/* The first {{>*name}} makes bodies of all that may be chosen. */
static void load_dynamic(struct mustache_compiler *c, struct ab_pos pos)
{
	size_t count = 0;

	if (c->dynamic_done)
		return;
	c->dynamic_done = true;
	if (c->loader == NULL || c->loader->dynamic == NULL) {
		ab_mustache_mistake(c, pos,
		        "a partial chosen by a value; expected the names it may have in `partials: [...]`");
		return;
	}
	while (c->loader->dynamic[count] != NULL)
		count++;
	c->out->dynamic = calloc(count + 1, sizeof(*c->out->dynamic));
	if (c->out->dynamic == NULL) {
		c->failed = c->no_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *name = c->loader->dynamic[i];
		int body = partial_body(c, (struct mustache_slice){name, (uint32_t)strlen(name)}, pos);

		if (body >= 0)
			c->out->dynamic[c->out->n_dynamic++] = body;
	}
}

/* ---- emitting ---- */

static struct mustache_instr *emit(struct mustache_compiler *c, enum mustache_op op, uint32_t a)
{
	struct ab_mustache *t = c->out;
	struct mustache_instr *code = ab_mustache_grow(c, t->code, t->n_code, &t->code_size, sizeof(*code));

	if (code == NULL)
		return NULL;
	t->code = code;
	code += t->n_code++;
	*code = (struct mustache_instr){.op = op, .a = a, .args = -1};
	return code;
}

static void emit_literal(struct mustache_compiler *c, struct mustache_slice text)
{
	struct ab_mustache *t = c->out;
	struct mustache_instr *last = t->n_code > c->barrier ? &t->code[t->n_code - 1] : NULL;

	if (text.len == 0)
		return;
	while (t->literals_size - t->n_literals < text.len) {
		char *grown = ab_mustache_grow(c, t->literals, t->literals_size, &t->literals_size, 1);

		if (grown == NULL)
			return;
		t->literals = grown;
	}
	if (last == NULL || last->op != OP_TEXT)
		last = emit(c, OP_TEXT, (uint32_t)t->n_literals);
	if (last == NULL)
		return;
	memcpy(t->literals + t->n_literals, text.text, text.len);
	t->n_literals += text.len;
	last->end += text.len;
}

/* What comes next can be jumped to. */
static void emit_label(struct mustache_compiler *c)
{
	c->barrier = (uint32_t)c->out->n_code;
}

static uint32_t block_id(struct mustache_compiler *c, const struct mustache_token *token)
{
	struct ab_mustache *t = c->out;
	struct mustache_block *blocks;

	for (size_t i = 0; i < t->n_blocks; i++)
		if (mustache_same(t->blocks[i].name, token->text))
			return (uint32_t)i;
	blocks = ab_mustache_grow(c, t->blocks, t->n_blocks, &t->blocks_size, sizeof(*blocks));
	if (blocks == NULL)
		return 0;
	t->blocks = blocks;
	if (t->n_blocks >= MUSTACHE_NAMES) {
		ab_mustache_mistake(c, token->pos, "more than %d different blocks", MUSTACHE_NAMES);
		return 0;
	}
	blocks[t->n_blocks] = (struct mustache_block){.name = token->text, .args = -1};
	return (uint32_t)t->n_blocks++;
}

static void emit_partial(struct mustache_compiler *c, struct mustache_token *token)
{
	bool parent = token->type == TOKEN_PARENT;
	struct mustache_instr *instr;
	uint32_t a = 0;
	int body;

	if (token->dynamic) {
		load_dynamic(c, token->pos);
		a = ab_mustache_ref(c, token->text, token->pos);
	} else {
		body = partial_body(c, token->text, token->pos);
		a = body < 0 ? 0 : (uint32_t)body;
	}
	token->pc = (uint32_t)c->out->n_code;
	if (parent)
		instr = emit(c, token->dynamic ? OP_DYNAMIC_PARENT : OP_PARENT, a);
	else
		instr = emit(c, token->dynamic ? OP_DYNAMIC : OP_PARTIAL, a);
	if (instr != NULL)
		instr->indent = token->indent;
}

/* A block directly inside {{<parent}} is an argument for it; elsewhere, a place that takes one. */
static void emit_block(struct mustache_compiler *c, struct mustache_token *token)
{
	struct ab_mustache *t = c->out;
	struct mustache_token *up = token->up >= 0 ? &c->tokens.items[token->up] : NULL;
	uint32_t id = block_id(c, token);
	struct mustache_arg *args;
	struct mustache_instr *instr;

	if (up == NULL || up->type != TOKEN_PARENT) {
		token->pc = (uint32_t)t->n_code;
		instr = emit(c, OP_BLOCK, id);
		if (instr != NULL)
			instr->indent = token->indent;
		return;
	}
	args = ab_mustache_grow(c, t->args, t->n_args, &t->args_size, sizeof(*args));
	if (args == NULL)
		return;
	t->args = args;
	if (c->failed)
		return; /* `up` may not have been emitted */
	for (int i = t->code[up->pc].args; i >= 0; i = args[i].next)
		if (args[i].block == id)
			ab_mustache_mistake(c, token->pos, "{{$%.*s}} is given twice to the same parent",
			        (int)token->text.len, token->text.text);
	args[t->n_args] = (struct mustache_arg){.block = id,
	        .pc = (uint32_t)t->n_code,
	        .next = t->code[up->pc].args,
	        .same = t->blocks[id].args};
	token->pc = (uint32_t)t->n_args; /* an argument's index, not a place in the program */
	t->code[up->pc].args = t->blocks[id].args = (int)t->n_args++;
}

static void emit_close(struct mustache_compiler *c, const struct mustache_token *open)
{
	struct mustache_token *up = open->up >= 0 ? &c->tokens.items[open->up] : NULL;

	switch (open->type) {
	case TOKEN_SECTION:
		emit(c, OP_END, open->pc);
		break;
	case TOKEN_BLOCK:
		emit(c, OP_RETURN, 0);
		break;
	default:
		break;
	}
	emit_label(c);
	if (c->failed)
		return;
	if (open->type == TOKEN_BLOCK && up != NULL && up->type == TOKEN_PARENT)
		c->out->args[open->pc].end = (uint32_t)c->out->n_code;
	else
		c->out->code[open->pc].end = (uint32_t)c->out->n_code;
}

static void emit_token(struct mustache_compiler *c, struct mustache_token *token)
{
	struct mustache_token *up = token->up >= 0 ? &c->tokens.items[token->up] : NULL;

	switch (token->type) {
	case TOKEN_MARGIN:
	case TOKEN_TEXT:
	case TOKEN_NEWLINE:
		if (!token->hidden && (up == NULL || up->type != TOKEN_PARENT))
			emit_literal(c, token->text);
		break;
	case TOKEN_VALUE:
	case TOKEN_RAW:
		emit(c, token->type == TOKEN_RAW ? OP_RAW : OP_VALUE,
		        ab_mustache_ref(c, token->text, token->pos));
		break;
	case TOKEN_SECTION:
	case TOKEN_INVERTED:
		token->pc = (uint32_t)c->out->n_code;
		emit(c, token->type == TOKEN_SECTION ? OP_SECTION : OP_INVERTED,
		        ab_mustache_ref(c, token->text, token->pos));
		break;
	case TOKEN_PARTIAL:
	case TOKEN_PARENT:
		emit_partial(c, token);
		break;
	case TOKEN_BLOCK:
		emit_block(c, token);
		break;
	case TOKEN_CLOSE:
		if (token->match >= 0)
			emit_close(c, &c->tokens.items[token->match]);
		break;
	case TOKEN_COMMENT:
		break;
	}
}

/* A text with mistakes in its tags is not laid out; the other bodies are still looked at, for their mistakes.
 */
static void compile_body(struct mustache_compiler *c, size_t index)
{
	bool before = c->failed;

	c->failed = false;
	ab_mustache_lex(c, &c->out->bodies[index]);
	if (!c->no_memory)
		ab_mustache_nest(c);
	if (!c->failed) {
		ab_mustache_layout(c);
		if (c->out->escape == AB_ESCAPE_HTML)
			ab_mustache_lint(&c->tokens, c->diags);
		c->out->bodies[index].pc = (uint32_t)c->out->n_code;
		emit_label(c);
		for (size_t i = 0; i < c->tokens.count && !c->no_memory; i++)
			emit_token(c, &c->tokens.items[i]);
		emit(c, OP_RETURN, 0);
		c->out->bodies[index].end = (uint32_t)c->out->n_code;
	}
	c->failed |= before;
}

struct ab_mustache *ab_mustache_compile(const char *text, size_t len, struct ab_pos start,
        const struct ab_conf *conf, enum ab_escape escape, const struct ab_mustache_loader *loader,
        struct ab_diags *diags)
{
	struct mustache_compiler c = {.loader = loader, .diags = diags};
	struct ab_mustache *out = calloc(1, sizeof(*out));
	char *copy = len <= MAX_TEXT ? malloc(len + 1) : NULL;

	if (out == NULL || copy == NULL) {
		free(copy);
		free(out);
		if (len > MAX_TEXT)
			ab_diag(diags, start, "a template of %zu bytes; expected at most %d", len, MAX_TEXT);
		else
			ab_diag(diags, start, "out of memory");
		return NULL;
	}
	c.out = out;
	out->escape = escape;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (body_add(&c, NULL, 0, copy, len, start, conf) >= 0) {
		for (size_t i = 0; i < out->n_bodies && !c.no_memory; i++) /* grows meanwhile */
			compile_body(&c, i);
	}
	free(c.tokens.items);
	if (!c.failed && !ab_mustache_analyse(out))
		c.failed = c.no_memory = true;
	if (c.no_memory)
		ab_diag(diags, start, "out of memory");
	if (c.failed) {
		ab_mustache_destroy(out);
		return NULL;
	}
	return out;
}

void ab_mustache_destroy(struct ab_mustache *template)
{
	if (template == NULL)
		return;
	for (size_t i = 0; i < template->n_bodies; i++)
		body_fini(&template->bodies[i]);
	free(template->bodies);
	free(template->code);
	free(template->literals);
	free(template->refs);
	free(template->steps);
	free(template->args);
	free(template->blocks);
	free(template->names);
	free(template->dynamic);
	free(template);
}
