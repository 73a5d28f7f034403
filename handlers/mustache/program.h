/* handlers/mustache/program.h: what the files of this folder share: tokens, and the flat program they become.
 *
 *   text --lex.c--> tokens --nest.c--> matched --layout.c--> without standalone lines --compile.c--> program
 *
 * A template and each of its partials is a body: one text, one stretch of the program that ends in OP_RETURN.
 */
#ifndef AB_MUSTACHE_PROGRAM_H
#define AB_MUSTACHE_PROGRAM_H

#include "mustache.h"

enum {
	MUSTACHE_DEPTH = 100,     /* sections, partials, parents and blocks inside one another */
	MUSTACHE_BODIES = 1000,   /* partials of one template */
	MUSTACHE_NAMES = 10000,   /* different names in it; also blocks */
	MUSTACHE_STEPS = 4000000, /* turns of loops and calls of partials in one rendering */
};

/* Bytes of a body's text; every body lives as long as the program. */
struct mustache_slice {
	const char *text;
	uint32_t len;
};

enum mustache_token_type {
	TOKEN_MARGIN,  /* blanks a line begins with, also when there are none */
	TOKEN_TEXT,    /* without a line end */
	TOKEN_NEWLINE, /* "\n" or "\r\n" */
	TOKEN_VALUE,
	TOKEN_RAW,
	TOKEN_SECTION,
	TOKEN_INVERTED,
	TOKEN_CLOSE,
	TOKEN_PARTIAL,
	TOKEN_PARENT,
	TOKEN_BLOCK,
	TOKEN_COMMENT, /* also set-delimiter tags */
};

struct mustache_token {
	enum mustache_token_type type;
	bool dynamic;                 /* {{>*name}} and {{<*name}} */
	bool hidden;                  /* makes no output: part of a standalone line */
	bool fresh;                   /* a block whose text begins on the next line */
	struct mustache_slice text;   /* of literals; the name of tags */
	struct mustache_slice indent; /* of partials, parents and blocks: goes in front of their lines */
	struct ab_pos pos;
	int match;   /* opening and closing tags: the other one */
	int up;      /* the opening tag around it, or -1 */
	int body;    /* static partials and parents */
	uint32_t pc; /* where its instruction is; of an argument, which */
};

struct mustache_tokens {
	struct mustache_token *items;
	size_t count, size;
};

enum mustache_op {
	OP_TEXT,     /* a: offset into the literals, end: length */
	OP_VALUE,    /* a: ref */
	OP_RAW,      /* a: ref */
	OP_SECTION,  /* a: ref, end: behind its OP_END */
	OP_INVERTED, /* a: ref, end: behind it */
	OP_END,
	OP_PARTIAL,        /* a: body */
	OP_DYNAMIC,        /* a: ref */
	OP_PARENT,         /* a: body, args: the first, end: behind their text */
	OP_DYNAMIC_PARENT, /* a: ref; the rest as OP_PARENT */
	OP_BLOCK,          /* a: block; its default follows up to OP_RETURN; end: behind that */
	OP_RETURN,
};

struct mustache_instr {
	enum mustache_op op;
	uint32_t a;
	uint32_t end;
	int args;
	struct mustache_slice indent;
};

/* What a tag looks up: "a.b[0]" is name a, then two steps. */
struct mustache_ref {
	int name; /* index into names, or -1 for {{.}} */
	uint32_t first_step, n_steps;
	struct mustache_slice text; /* as written */
	struct mustache_slice key;  /* the first segment */
	struct ab_pos pos;
};

struct mustache_step {
	struct mustache_slice key; /* key.text NULL: an index */
	size_t index;
};

/* {{$block}} inside {{<parent}}. */
struct mustache_arg {
	uint32_t block;
	uint32_t pc, end;
	int next; /* of the same parent tag, or -1 */
	int same; /* another one for this block, anywhere, or -1 */
};

struct mustache_block {
	struct mustache_slice name;
	int args;     /* the first that is for it, or -1 */
	bool seen[2]; /* by names.c: outside sections, inside */
	bool raw;     /* one of its args has {{{x}}}, itself or through what it includes */
};

struct mustache_body {
	char *name; /* NULL for the template itself */
	char *file;
	char *text;
	size_t len;
	struct ab_pos start;
	const struct ab_conf *conf; /* the app file's string it is; only while it is compiled */
	uint32_t pc, end;
	bool seen[2];
	bool raw; /* has {{{x}}}, itself or through what it includes */
};

struct ab_mustache {
	enum ab_escape escape;
	struct mustache_instr *code;
	size_t n_code, code_size;
	char *literals;
	size_t n_literals, literals_size;
	struct mustache_ref *refs;
	size_t n_refs, refs_size;
	struct mustache_step *steps;
	size_t n_steps, steps_size;
	struct mustache_arg *args;
	size_t n_args, args_size;
	struct mustache_block *blocks;
	size_t n_blocks, blocks_size;
	struct ab_mustache_name *names;
	size_t n_names, names_size;
	struct mustache_body *bodies;
	size_t n_bodies, bodies_size;
	int *dynamic; /* bodies that {{>*name}} may choose */
	size_t n_dynamic;
	bool implicit; /* {{.}} outside sections, at implicit_pos */
	struct ab_pos implicit_pos;
};

/* State of one compilation. */
struct mustache_compiler {
	struct ab_mustache *out;
	const struct ab_mustache_loader *loader;
	struct ab_diags *diags;
	bool failed; /* there was a mistake, or no memory */
	bool no_memory;
	bool dynamic_done;
	struct mustache_tokens tokens; /* of the body being compiled */
	uint32_t barrier;              /* literals before this instruction can't grow: something jumps here */
};

/* Report a mistake. */
void ab_mustache_mistake(struct mustache_compiler *c, struct ab_pos pos, const char *fmt, ...)
        AB_PRINTF(3, 4);
/* Room for one more item in an array: the array, perhaps moved, or NULL without memory (noted in c). */
void *ab_mustache_grow(struct mustache_compiler *c, void *items, size_t count, size_t *size, size_t item);

/* The passes; each stops early when c->failed is set by a mistake it can't go on after. */
void ab_mustache_lex(struct mustache_compiler *c, const struct mustache_body *body);
void ab_mustache_nest(struct mustache_compiler *c);
void ab_mustache_layout(struct mustache_compiler *c);
void ab_mustache_lint(const struct mustache_tokens *tokens, struct ab_diags *diags);
/* A ref for a tag's name (refs.c); 0 after a mistake. */
uint32_t ab_mustache_ref(struct mustache_compiler *c, struct mustache_slice text, struct ab_pos pos);
/* Which names are needed, which used raw. */
bool ab_mustache_analyse(struct ab_mustache *template);

static inline bool mustache_same(struct mustache_slice a, struct mustache_slice b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

/* Append `text` as `escape` wants it. */
void ab_mustache_escape(struct ab_buf *buf, enum ab_escape escape, const char *text, size_t len);

#endif
