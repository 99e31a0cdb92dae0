"""tools/dataset_converters/voc_sbd.py on a small world."""

from mmdetxfer.worlds import sbd, voc

TOOL = 'dataset_converters/voc_sbd.py'


def test_label_maps_and_lists_are_counted(tools, here):
    devkit = here / 'VOCdevkit'
    voc.write_voc2012(devkit / 'VOC2012', {'train': 4, 'val': 3}, 0)
    sbd.write(devkit / 'VOCaug', {'train': 4, 'val': 3}, 0)
    ended = tools(TOOL, devkit, devkit / 'VOCaug', '--workers', '1', cwd=here)
    lists = devkit / 'VOC2012/ImageSets/Segmentation'
    number = len((lists / 'trainaug.txt').read_text().split())
    assert f'trainaug.txt has {number} images' in ended.printed
    again = tools(TOOL, devkit, devkit / 'VOCaug', '--workers', '1', cwd=here)
    assert 'SegmentationClassAug: 0 written' in again.printed


def test_what_cannot_be_converted_ends_with_one_line(tools, here):
    ended = tools(TOOL, 'nowhere', 'nowhere', cwd=here, fails=True)
    assert ended.printed.splitlines()[-1].startswith('error: nowhere/VOC2012/ImageSets')
    ended = tools(TOOL, 'a', 'b', '--workers', '0', cwd=here, fails=True)
    assert '--workers: expected 1 or more, got 0' in ended.printed
