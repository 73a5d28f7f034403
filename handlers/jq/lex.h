/* handlers/jq/lex.h: the words of jq, one at a time; a string's inside is left to the parser. */
#ifndef AB_JQ_LEX_H
#define AB_JQ_LEX_H

#include "../../dispatch/base.h"

enum ab_jq_token_type {
	AB_JQ_END,
	AB_JQ_BAD,     /* no word of jq; or a backslash, or a byte that begins none */
	AB_JQ_IDENT,   /* name, mod::name; keywords too */
	AB_JQ_FIELD,   /* .name */
	AB_JQ_BINDING, /* $name; the name is what follows the $ (and blanks, which jq 1.6 allows) */
	AB_JQ_NUMBER,
	AB_JQ_FORMAT, /* @base64 */
	AB_JQ_QUOTE,  /* the " that opens a string */
	AB_JQ_OP,     /* anything else; `op` tells which */
};

/* Operators of several characters; others are their character. */
enum ab_jq_op {
	AB_JQ_REC = 256,   /* .. */
	AB_JQ_DEFINED_OR,  /* // */
	AB_JQ_ALTERNATION, /* ?// */
	AB_JQ_EQ,
	AB_JQ_NEQ,
	AB_JQ_LE,
	AB_JQ_GE,
	AB_JQ_UPDATE, /* |= */
	AB_JQ_ASSIGN, /* += -= *= /= %= //= */
};

struct ab_jq_token {
	enum ab_jq_token_type type;
	int op;
	size_t start, len;           /* all of it */
	size_t name_start, name_len; /* of FIELD, BINDING: without the . or $; of IDENT: all */
};

/* The token at or after `offset`, behind blanks and comments. */
struct ab_jq_token ab_jq_lex(const char *text, size_t len, size_t offset);

/* The length of ".name.name" at `offset`; 0: none. */
size_t ab_jq_lex_fields(const char *text, size_t len, size_t offset);

#endif
