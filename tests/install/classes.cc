// tests/install/classes.cc: a C++17 program on the installed library, with state of its own behind a function.
#include <anabranch.h>

#include <iostream>
#include <memory>
#include <string>

RESOURCE(who)
{
	return text("World");
}

RESOURCE(greet, (name, "who"))
{
	std::string line = std::string("Hello ") + json_string_value(name) + "!";

	return text(line.c_str());
}

namespace
{
struct counter {
	json_int_t count = 0;

	static anabranch_result next(anabranch_call *call)
	{
		return json(json_integer(++static_cast<counter *>(anabranch_arg(call))->count));
	}
};

struct destroy {
	void operator()(anabranch *dispatcher) const
	{
		anabranch_destroy(dispatcher);
	}
};
} // namespace

int main()
{
	std::unique_ptr<anabranch, destroy> dispatcher(anabranch_create());
	counter own;
	anabranch_function count{};
	anabranch_error err;
	json_t *value = nullptr;

	count.name = "count";
	count.start = counter::next;
	count.arg = &own;
	if (anabranch_add_listed(dispatcher.get(), &err) != ANABRANCH_OK ||
	    anabranch_add(dispatcher.get(), &count, &err) != ANABRANCH_OK ||
	    anabranch_get(dispatcher.get(), "greet", nullptr, &value, &err) != ANABRANCH_OK) {
		std::cerr << err.message << "\n";
		return 1;
	}
	std::cout << json_string_value(value) << "\n";
	json_decref(value);
	for (int i = 0; i < 2; i++) {
		if (anabranch_get(dispatcher.get(), "count", nullptr, &value, &err) != ANABRANCH_OK)
			return 1;
		std::cout << json_integer_value(value) << "\n";
		json_decref(value);
	}
	return 0;
}
