/** Numbers of the `ignore_empty` fields in the protoc-gen-validate release the Envoy API is written against. */
const IGNORE_EMPTY_FIELD: Readonly<Record<string, number>> = {
	FloatRules: 8,
	DoubleRules: 8,
	Int32Rules: 8,
	Int64Rules: 8,
	UInt32Rules: 8,
	UInt64Rules: 8,
	SInt32Rules: 8,
	SInt64Rules: 8,
	Fixed32Rules: 8,
	Fixed64Rules: 8,
	SFixed32Rules: 8,
	SFixed64Rules: 8,
	StringRules: 26,
	BytesRules: 14,
	RepeatedRules: 5,
	MapRules: 6,
};

/**
 * Returns the text of `validate.proto` with the `ignore_empty` fields that the Envoy API uses. The file shipped beside that API is of an
 * older release without them, and protoc refuses an option it does not know. Throws when the text lacks a message it should have.
 */
export function validateOverlay(shipped: string): string {
	let text = shipped;
	if (text.includes("ignore_empty")) return text;
	for (const [message, number] of Object.entries(IGNORE_EMPTY_FIELD)) {
		const opening = `message ${message} {`;
		if (!text.includes(opening)) {
			throw new Error(`validate.proto has no message ${message}`);
		}
		text = text.replace(
			opening,
			`${opening} optional bool ignore_empty = ${number};`,
		);
	}
	return text;
}
