/* tests/modules/foreign.c: a shared object that is no module. */
int foreign(void);
int foreign(void)
{
	return 1;
}
