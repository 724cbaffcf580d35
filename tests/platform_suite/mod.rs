mod compressing;
