// Drives npm novaposhta 1.1.1: it posts with fetch's default Content-Type, text/plain.
import { createRequire } from 'node:module';

const NovaPoshta = createRequire(import.meta.url)('novaposhta');
const settings = JSON.parse(process.argv[2]);
const { sender, person, today } = settings;
const connect = (apiKey) => new (NovaPoshta.default || NovaPoshta)({ apiKey, endpoint: settings.api_url });
const api = connect(settings.api_key);
const refusal = (call) => call.then(() => null, (errors) => errors);
const out = {};

const cities = await api.address.getCities({ FindByString: 'Львів' });
const city = cities.data[0].Ref;
const branches = await api.address.getWarehouses({ CityRef: city, Limit: 1 });
out.branches = [branches.data.length, branches.info.totalCount];
out.areas = (await api.address.getAreas()).data.length;
out.lists = {};
for (const name of [
	'getBackwardDeliveryCargoTypes', 'getCargoDescriptionList', 'getCargoTypes', 'getMessageCodeText',
	'getOwnershipFormsList', 'getPackList', 'getPalletsList', 'getPaymentForms', 'getServiceTypes',
	'getTiresWheelsList', 'getTypesOfCounterparties', 'getTypesOfPayers', 'getTypesOfPayersForRedelivery',
]) {
	out.lists[name] = (await api.common[name]()).data.length;
}

const [saved] = (await api.counterparty.save({
	CounterpartyType: 'PrivatePerson',
	CounterpartyProperty: 'Recipient',
	FirstName: person.first,
	LastName: person.last,
	MiddleName: person.middle,
	Phone: person.phone,
})).data;
const form = {
	PayerType: 'Recipient',
	PaymentMethod: 'Cash',
	DateTime: today,
	CargoType: 'Parcel',
	Weight: 0.5,
	VolumeGeneral: 0.004,
	ServiceType: 'WarehouseWarehouse',
	SeatsAmount: 1,
	Description: 'Косметика',
	Cost: 500,
	CitySender: sender.city,
	Sender: sender.counterparty,
	SenderAddress: sender.address,
	ContactSender: sender.contact,
	SendersPhone: sender.phone,
	CityRecipient: city,
	Recipient: saved.Ref,
	RecipientAddress: branches.data[0].Ref,
	ContactRecipient: saved.ContactPerson.data[0].Ref,
	RecipientsPhone: person.phone,
	InfoRegClientBarcodes: 'outside-4',
};
const [made] = (await api.internetDocument.save(form)).data;
out.made = made;
out.updated = (await api.internetDocument.update({ ...form, Ref: made.Ref, Cost: 900 })).success;
const documents = [{ DocumentNumber: made.IntDocNumber, Phone: person.phone }];
out.tracked = (await api.internetDocument.getStatusDocuments({ Documents: documents })).data[0];
out.listed = (await api.internetDocument.getDocumentList({ DateTimeFrom: today, DateTimeTo: today })).data
	.map((row) => row.ClientBarcode);

const [sheet] = (await api.scanSheet.insertDocuments({ DocumentRefs: [made.Ref] })).data;
out.sheets = (await api.scanSheet.getScanSheetList()).data.map((row) => row.Number);
out.sheet = (await api.scanSheet.deleteScanSheet({ ScanSheetRefs: [sheet.Ref] })).data;

const services = api.additionalServiceGeneral;
out.redirecting = (await services.checkPossibilityForRedirecting({ Number: settings.parcel })).data[0].Number;
const [order] = (await services.save({
	IntDocNumber: settings.parcel,
	OrderType: 'orderRedirecting',
	RecipientWarehouse: branches.data[0].Ref,
	PaymentMethod: 'Cash',
})).data;
out.orders = (await api.additionalService.getRedirectionOrdersList({})).data.map((row) => row.OrderNumber);
out.withdrawn = (await services.delete({ Ref: order.Ref })).data;

out.phone = await refusal(api.internetDocument.save({ ...form, RecipientsPhone: '+380' }));
out.company = await refusal(api.counterparty.save({
	CounterpartyType: 'Organization', CounterpartyProperty: 'Recipient',
}));
out.deleted = (await api.internetDocument.delete({ DocumentRefs: [made.Ref] })).data;
out.again = await refusal(api.internetDocument.delete({ DocumentRefs: [made.Ref] }));
out.wrongKey = await refusal(connect('nonsense').counterparty.getCounterparties({ CounterpartyProperty: 'Sender' }));
console.log(JSON.stringify(out));
