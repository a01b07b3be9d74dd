const form =
	/^\+?(\d{1,15}(?:\.\d{1,9})?|\.\d{1,9})(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/;

const factors: Readonly<Record<string, number>> = {
	m: 1e-3,
	k: 1e3,
	M: 1e6,
	G: 1e9,
	T: 1e12,
	P: 1e15,
	E: 1e18,
	Ki: 2 ** 10,
	Mi: 2 ** 20,
	Gi: 2 ** 30,
	Ti: 2 ** 40,
	Pi: 2 ** 50,
	Ei: 2 ** 60,
};

/** Whether a text is an amount of CPU or memory in Kubernetes' form, such as `100m` or `1.5Gi`. */
export function isQuantity(text: string): boolean {
	return parseQuantity(text) !== undefined;
}

/** The amount, in cores or bytes; undefined when it is none. */
export function parseQuantity(value: unknown): number | undefined {
	if (typeof value === "number") return value;
	if (typeof value !== "string") return undefined;
	const [, digits, unit = ""] = form.exec(value) ?? [];
	return digits === undefined
		? undefined
		: Number(digits) * (factors[unit] ?? 1);
}
