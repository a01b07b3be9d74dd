import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";

/** A literal of the fields of a message that are set; never a whole message of the library, so that literals can be spread. */
export type Init<Desc extends DescMessage> = Exclude<
	MessageInitShape<Desc>,
	{ $typeName: string }
>;
